"""Digits of unseen writers: the recipe over five seeds and over ten contiguous folds, each run a new process.

python tests/benchmarks/digits.py [seeds|folds]
"""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import ROOT, report


def run(folder: str, *keys: str) -> tuple[float, float]:
    """(test accuracy in percent, CPU seconds of the whole process) of one `zoo fit vision/digits`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from zoo.cli.main import main; sys.exit(main(sys.argv[1:]))"
    asked = [sys.executable, "-c", code, "fit", "vision/digits", "--root", folder, *keys]
    subprocess.run(asked, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    newest = max((Path(folder) / "vision" / "digits").iterdir(), key=lambda path: int(path.name))
    accuracy = json.loads((newest / "metrics.json").read_text())["test/accuracy"]
    return 100 * accuracy, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(which: str) -> None:
    """Run and report."""
    with tempfile.TemporaryDirectory() as folder:
        if which in ("seeds", "both"):
            accuracies, seconds = zip(*(run(folder, "--seed_everything", str(s)) for s in range(5)), strict=True)
            met = sum(accuracies) / 5 >= 99.0
            report("digits, last 20 % of the writers", ">= 99.0 % mean", list(accuracies), met, "%", "seeds 0-4")
            note = "whole process, report included"
            report("digits, CPU time of a run", "<= 15 s", list(seconds), max(seconds) <= 15, "s", note, 1)
        if which in ("folds", "both"):
            keys = [("--data.fold", str(fold)) for fold in range(10)]
            accuracies = [run(folder, *pair)[0] for pair in keys]
            mean = sum(accuracies) / 10
            report("digits, 10 contiguous folds", ">= 99.3 % mean", accuracies, mean >= 99.3, "%", "seed 0")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "both")
