"""`zoo study`: an expectation of the literature, measured."""

from pathlib import Path

from zoo.cli.plugins import described, entry_points_of
from zoo.errors import InputError

GROUP = "zoo.studies"  # entry points: functions (options, overrides) -> Study
HELP = """zoo study                    lists the studies
zoo study NAME [--repetitions R] [--factors a,b] [--processes N] [--root DIR | --output DIR] [--key value ...]

Every level of every factor is trained R times on the same parts of the data as the baseline. What is done is kept: the
same command goes on after Ctrl-C, a kill or a full disk, and more repetitions or factors are added to what is there.
Keys with a dot change the baseline's recipe, as in zoo fit: --trainer.max_epochs 3. Pages: study.html, study.json."""
OURS = ("repetitions", "factors", "processes", "root", "output")


def run(arguments: list[str]) -> int:
    """List the studies, or conduct one."""
    found = entry_points_of(GROUP)
    if {"-h", "--help"} & set(arguments):
        print(HELP)
        return 0
    if not arguments:
        for name, point in found.items():
            print(f"{name}  {described(point)}")
        return 0
    name, *words = arguments
    if name not in found:
        raise InputError(_unknown(name, list(found)))
    from zoo.studies.conduct import conduct
    from zoo.training.configuration import pairs

    keys = pairs(words)
    ours = {key: value for key, value in keys if key in OURS}
    theirs = {key: value for key, value in keys if key not in OURS and "." not in key and key != "data"}
    overrides = [(key, value) for key, value in keys if "." in key or key == "data"]
    repetitions = _whole("repetitions", ours.get("repetitions", "3"))
    processes = _whole("processes", ours.get("processes", "1"))
    study = found[name].load()(theirs, overrides)
    if "factors" in ours:
        study = study.only([word.strip() for word in ours["factors"].split(",")])
    folder = Path(ours.get("output") or Path(ours.get("root", "runs")) / "study" / study.name / study.subject)
    return conduct(study, folder, repetitions, processes)


def _unknown(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "`zoo study` lists them"
    return f"zoo study: expected one of {', '.join(known) or 'none that are installed'}, got {name!r}; {hint}"


def _whole(key: str, text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise InputError(f"--{key}: expected a whole number of 1 or more, got {text!r}; mend the command")
    return int(text)
