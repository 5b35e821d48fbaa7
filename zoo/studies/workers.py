"""Cells computed by several processes of one thread each; only the parent keeps results."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait

from zoo.errors import InputError
from zoo.studies.design import Cell, Figures
from zoo.training.configuration import Tree

Measure = Callable[[Tree], Figures]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Outcome:
    """Figures of a cell, or the error that ended it."""

    figures: Figures | None
    seconds: float
    error: str = ""


def outcomes(cells: list[Cell], measure: Measure, processes: int = 1) -> Iterator[tuple[Cell, Outcome]]:
    """Every cell with its outcome, as they come.

    Args:
        cells: in the order in which they are begun.
        measure: a function of a module, which new processes import.
        processes: how many at once; one computes in this process.

    Raises:
        InputError: a process was killed.
    """
    if processes == 1:
        yield from ((cell, outcome_of(cell.tree, measure)) for cell in cells)
        return
    waiting = list(reversed(cells))
    team = [Worker(measure) for _ in range(min(processes, len(cells)))]
    try:
        for worker in team:
            worker.begin(waiting.pop())
        while busy := [worker for worker in team if worker.cell]:
            ready = wait([worker.pipe for worker in busy])
            for worker in (worker for worker in busy if worker.pipe in ready):
                cell, outcome = worker.end()
                if waiting:
                    worker.begin(waiting.pop())
                yield cell, outcome
    finally:
        for worker in team:
            worker.stop()


class Worker:
    """A process that measures one cell after another."""

    def __init__(self, measure: Measure):
        context = get_context("spawn")  # torch's threads do not live through a fork
        self.cell: Cell | None = None
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, measure), daemon=True)
        former = {name: os.environ.get(name) for name in ONE_THREAD}
        os.environ.update(ONE_THREAD)  # read when the libraries are loaded, hence before the process starts
        try:
            self.process.start()
        finally:
            for name, value in former.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        theirs.close()

    def begin(self, cell: Cell) -> None:
        """Give it a cell."""
        self.cell = cell
        try:
            self.pipe.send(cell.tree)
        except OSError:
            raise self._gone() from None

    def end(self) -> tuple[Cell, Outcome]:
        """Take what it found."""
        cell = self.cell
        try:
            outcome = self.pipe.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        self.cell = None
        return cell, outcome

    def _gone(self) -> InputError:
        self.process.join(5)
        return InputError(
            f"study: expected a process to measure {self.cell.level}, got its end (exit code {self.process.exitcode}); "
            "start again with fewer --processes, which need less memory: what is done is kept"
        )

    def stop(self) -> None:
        """End it, whatever it is at."""
        self.process.terminate()
        self.process.join()
        self.pipe.close()


def _work(pipe: Connection, measure: Measure) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    while True:
        try:
            pipe.send(outcome_of(pipe.recv(), measure))
        except (EOFError, OSError):  # the parent is gone
            return


def outcome_of(tree: Tree, measure: Measure) -> Outcome:
    """Measure one cell; an error becomes a line, so that one bad level does not end a night's work."""
    began = time.perf_counter()
    try:
        return Outcome(measure(tree), time.perf_counter() - began)
    except Exception as error:
        reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        return Outcome(None, time.perf_counter() - began, " ".join(reason.split())[:300])
