"""The diagnosis of a run folder: findings on the terminal, a page, and the overlay that mends them."""

from pathlib import Path
from typing import Any

import yaml

from zoo.atomic import write_atomically
from zoo.diagnosis.diagnose import diagnose
from zoo.diagnosis.finding import Finding
from zoo.diagnosis.overlay import overlay_of
from zoo.diagnosis.sections import finding_sections, lines
from zoo.errors import InputError
from zoo.reports.write import write_report
from zoo.training.configuration import read_yaml
from zoo.training.record import read_record
from zoo.training.run_folder import open_run


def conclude(
    where: str | Path,
    root: str | Path = "runs",
    output: Path | None = None,
    apply: bool = False,
    before: str | None = None,
) -> int:
    """Print the findings of a run and write `diagnosis.html`; with `apply`, `mend.yaml` too. Returns the exit code.

    Args:
        where: run folder or recipe name.
        root: folder of all runs.
        output: folder of what is written, the run's own by default.
        apply: write the overlay and print the command of the run that tries it.
        before: the run that this one is to have mended; the page then says whether it did.

    Raises:
        InputError: no such run, or one without a record.
    """
    run = open_run(where, root)
    findings = diagnose(read_record(run.record))
    folder = output or run.path
    _make(folder)
    print("\n".join(lines(findings)))
    subtitle = helped(diagnose(read_record(open_run(before, root).record)), findings) if before else ""
    print(subtitle) if subtitle else None
    facts = {"findings": len(findings), "last step": max((one.step for one in findings), default=0)}
    page = write_report(
        folder, f"Diagnosis of {run.name}", subtitle, facts, finding_sections(findings), stem="diagnosis"
    )
    print(f"page: {_shown(page)}")
    if apply:
        _apply(findings, read_yaml(run.config), run.path, folder)
    return 0


def helped(before: list[Finding], after: list[Finding]) -> str:
    """What a mend has done, in one line.

    >>> helped([], [])
    'nothing was wrong before, nothing is now'
    """
    was, now = {(one.kind, one.layer) for one in before}, {(one.kind, one.layer) for one in after}
    if not was | now:
        return "nothing was wrong before, nothing is now"
    verdict = "helped" if len(now) < len(was) and not now - was else "did not help" if was <= now else "helped in part"
    return f"the mend {verdict}: {len(was - now)} findings gone, {len(was & now)} still there, {len(now - was)} new"


def _apply(findings: list, config: dict[str, Any], run: Path, folder: Path) -> None:
    tree, left = overlay_of(findings, config)
    print("\n".join(left)) if left else None
    if not tree:
        print("nothing to apply")
        return
    path = folder / "mend.yaml"
    header = "".join(f"# {one.title}\n" for one in findings)
    write_atomically(path, f"{header}{yaml.safe_dump(tree, sort_keys=False)}")
    print(f"overlay: {_shown(path)}\ntry it: zoo fit {_shown(run / 'config.yaml')} --config {_shown(path)}")
    print(f"and then: zoo diagnose NEW_RUN --before {_shown(run)}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output: expected a folder, got {folder} ({error.strerror}); choose another") from error


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
