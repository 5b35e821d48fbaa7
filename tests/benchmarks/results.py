"""How a benchmark says its result: one line a person reads and one a script collects."""

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def commit() -> str:
    """The commit that was measured, with -dirty for changes on top, results aside."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!tests/benchmarks/results.jsonl")
    return (git("rev-parse", "--short=10", "HEAD") or "unknown") + ("-dirty" if changed else "")


def report(
    name: str,
    bar: str,
    values: list[float],
    met: bool,
    unit: str = "",
    note: str = "",
    digits: int = 2,
    measured: str = "",
) -> None:
    """Print a result and append it to tests/benchmarks/results.jsonl.

    Args:
        name: what was measured.
        bar: what it was to reach, in words.
        values: one a seed or repetition.
        met: whether it did.
        unit: of the values.
        note: conditions, such as seeds.
        digits: behind the point.
        measured: commit that was measured, where it is not the present one.
    """
    low, mean, high = (round(v, digits) for v in (min(values), sum(values) / len(values), max(values)))
    line = {"name": name, "bar": bar, "min": low, "mean": mean, "max": high, "runs": len(values), "unit": unit}
    line |= {"met": bool(met), "note": note, "commit": measured or commit()}
    with (Path(__file__).parent / "results.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(f"{'met ' if met else 'MISSED'} {name}: {low} / {mean} / {high} {unit} (bar: {bar}; {note})", flush=True)
