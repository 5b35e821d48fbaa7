"""A study is begun or gone on with: cells, results file, progress, page."""

from pathlib import Path

from zoo.errors import InputError
from zoo.reports import write_report
from zoo.studies.conclusion import UNMEASURED
from zoo.studies.design import Study, cells
from zoo.studies.measurements import Measurements
from zoo.studies.progress import StudyProgress
from zoo.studies.results import Results
from zoo.studies.sections import study_facts, study_sections
from zoo.studies.workers import outcomes
from zoo.training.run_folder import RunLock


def conduct(study: Study, folder: Path, repetitions: int = 1, processes: int = 1) -> int:
    """Measure the cells that are missing and write study.html and study.json; returns the exit code.

    The page is written after an interruption too, from what is done by then.

    Raises:
        InputError: another process is at it, the folder holds another definition, or the baseline cannot be measured.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output: expected a folder, got {folder} ({error.strerror}); choose another") from error
    lock = RunLock(folder / ".lock")
    try:
        results = Results(folder / "cells.jsonl", study.definition)
        try:
            _measure(study, results, repetitions, processes)
        except KeyboardInterrupt:
            print(f"\nstopped, and kept what is done; the same command goes on with {folder}", flush=True)
            raise
        finally:
            if results.figures:
                write_page(study, results, repetitions, folder)
    finally:
        lock.release()
    return int(bool(_said(study, results, repetitions, folder)))


def _measure(study: Study, results: Results, repetitions: int, processes: int) -> None:
    wanted = cells(study, repetitions)
    pending = [cell for cell in wanted if cell.key not in results.figures]
    costs: dict[str, list[float]] = {}
    for cell in wanted:
        if cell.key in results.seconds:
            costs.setdefault(cell.level, []).append(results.seconds[cell.key])
    progress = StudyProgress(pending, len(wanted) - len(pending), costs, processes)
    for cell, outcome in outcomes(pending, study.measure, processes):
        if outcome.error and cell.level == "baseline":  # nothing can be compared
            raise InputError(f"baseline: {outcome.error}")
        results.add(cell, outcome.figures, outcome.seconds, outcome.error)
        progress.count(cell, outcome.seconds)


def write_page(study: Study, results: Results, repetitions: int, folder: Path) -> Path:
    """The page of what is done."""
    measured = Measurements(study, repetitions, results.figures)
    facts = study_facts(measured, results.seconds)
    return write_report(folder, study.title, study.lead, facts, study_sections(measured, _errors(study, results,
                        repetitions)), config=_config(study), stem="study")  # fmt: skip


def _config(study: Study) -> str:
    import yaml

    return yaml.safe_dump(study.base, sort_keys=False)


def _errors(study: Study, results: Results, repetitions: int) -> dict[str, str]:
    """Level -> the error of its first cell that failed."""
    found: dict[str, str] = {}
    for cell in cells(study, repetitions):
        if cell.key in results.errors:
            found.setdefault(cell.level, results.errors[cell.key])
    return found


def _said(study: Study, results: Results, repetitions: int, folder: Path) -> dict[str, str]:
    for one in Measurements(study, repetitions, results.figures).verdicts():
        if one.verdict != UNMEASURED:
            print(f"{one.verdict + ':':<17} {one.conclusion.text}")
    errors = _errors(study, results, repetitions)
    for level, error in errors.items():
        print(f"{'failed:':<17} {level}: {error}")
    print(f"page: {folder / 'study.html'}", flush=True)
    return errors
