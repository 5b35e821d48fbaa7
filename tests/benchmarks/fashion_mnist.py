"""Fashion-MNIST: the recipe once, with its wall time on two cores and its peak memory.

python tests/benchmarks/fashion_mnist.py DIR     (DIR holds fashion_mnist/images.pt; see data_scripts/fashion_mnist.py)
python tests/benchmarks/fashion_mnist.py --run RUN      (only reports a run of the recipe that has ended)
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import ROOT, report


def report_run(folder: Path) -> None:
    """Report the figures of a finished run of the recipe."""
    figures = json.loads((folder / "metrics.json").read_text())
    measured = json.loads((folder / "versions.json").read_text())["commit"]
    accuracy, seconds = 100 * figures["test/accuracy"], figures["fit_seconds"]
    note = f"{figures['parameters']:,} parameters, {seconds / 60:.1f} min, seed 0"
    met = accuracy >= 93.0 and figures["parameters"] < 300_000 and seconds <= 900
    report(
        "Fashion-MNIST, under 300 k parameters, CPU",
        ">= 93.0 % in <= 15 min",
        [accuracy],
        met,
        "%",
        note,
        measured=measured,
    )
    memory = figures["peak_memory_mb"] / 1000
    report(
        "peak memory of a fit",
        "<= 1.5 GB",
        [memory],
        memory <= 1.5,
        "GB",
        "Fashion-MNIST, whole process",
        measured=measured,
    )


if __name__ == "__main__":
    if sys.argv[1] == "--run":
        report_run(Path(sys.argv[2]))
        sys.exit()
    with tempfile.TemporaryDirectory() as root:
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from zoo.cli.main import main; sys.exit(main(sys.argv[1:]))"
        asked = [sys.executable, "-c", code, "fit", "vision/fashion_mnist", "--root", root, "--data.root", sys.argv[1]]
        subprocess.run(asked, check=True)
        report_run(Path(root) / "vision" / "fashion_mnist" / "1")
