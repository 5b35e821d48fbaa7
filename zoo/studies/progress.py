"""How far a study is, and how long it still takes."""

import sys
import time

from zoo.studies.design import Cell

EVERY = 60.0  # seconds between lines where there is no terminal


def remaining_seconds(pending: list[str], costs: dict[str, list[float]], processes: int) -> float | None:
    """Seconds until all pending cells are done: each costs what its level has cost, or the mean of all levels.

    >>> remaining_seconds(["a", "b", "c"], {"a": [2.0, 4.0], "b": [1.0]}, processes=2)
    3.0
    """
    means = {level: sum(known) / len(known) for level, known in costs.items() if known}
    if not means:
        return None
    usual = sum(means.values()) / len(means)
    return sum(means.get(level, usual) for level in pending) / max(1, min(processes, len(pending)))


def shown_seconds(seconds: float) -> str:
    """A duration for people.

    >>> shown_seconds(42), shown_seconds(600), shown_seconds(9000)
    ('42 s', '10 min', '2 h 30 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


class StudyProgress:
    """One line that is written again on a terminal; a line a minute elsewhere.

    Args:
        pending: cells that are to be done.
        done: how many are done already.
        costs: level -> seconds of its cells that are done.
        processes: how many cells at once.
    """

    def __init__(self, pending: list[Cell], done: int, costs: dict[str, list[float]], processes: int):
        self.pending = {cell.key: cell.level for cell in pending}
        self.done, self.total = done, done + len(pending)
        self.costs, self.processes = costs, processes
        self._shown = -EVERY

    def count(self, cell: Cell, seconds: float) -> None:
        """A cell is done."""
        del self.pending[cell.key]
        self.done += 1
        self.costs.setdefault(cell.level, []).append(seconds)
        self._show(self.line(cell))

    def line(self, cell: Cell) -> str:
        """What is said after a cell."""
        left = remaining_seconds(list(self.pending.values()), self.costs, self.processes)
        at = f"{cell.level}, repetition {cell.repetition + 1}, fold {cell.fold + 1}"
        return f"{self.done}/{self.total} cells, about {shown_seconds(left)} left ({at})"

    def _show(self, line: str) -> None:
        last = not self.pending
        if sys.stderr.isatty():
            print(f"\r\033[K{line}", end="\n" if last else "", file=sys.stderr, flush=True)
        elif last or time.monotonic() - self._shown > EVERY:
            print(line, file=sys.stderr, flush=True)
            self._shown = time.monotonic()
