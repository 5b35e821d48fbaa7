"""PDE recipes over seeds: relative l2 error against the reference, and CPU seconds of the fit.

python tests/benchmarks/pde.py [RECIPE ...]
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import ROOT, report

# recipe -> error that must be reached, CPU seconds that it may take
BARS = {
    "burgers": (1e-5, 90),
    "poisson": (1e-8, 10),
    "heat": (1e-6, 60),
    "poisson_features": (1e-12, 10),
    "heat_features": (1e-9, 60),
    "helmholtz": (1e-4, 180),
    "kovasznay": (1e-6, 60),
    "taylor_green": (1e-6, 60),
    "cavity": (2e-3, 600),
}


def fit(recipe: str, seed: int, folder: str) -> tuple[float, float]:
    """(relative l2 error, CPU seconds of the fit) of one `zoo fit pde/RECIPE`."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from zoo.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = ["fit", f"pde/{recipe}", "--root", folder, "--seed_everything", str(seed)]
    subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True)
    newest = max((Path(folder) / "pde" / recipe).iterdir(), key=lambda path: int(path.name))
    metrics = json.loads((newest / "metrics.json").read_text())
    return metrics["test/relative_l2"], metrics["fit_cpu_seconds"]


def main(recipes: list[str], seeds: int = 5) -> None:
    """Run and report."""
    with tempfile.TemporaryDirectory() as folder:
        for recipe in recipes or list(BARS):
            error, most = BARS[recipe]
            errors, seconds = zip(*(fit(recipe, seed, folder) for seed in range(seeds)), strict=True)
            met = max(errors) <= error and max(seconds) <= most
            note = f"CPU seconds of the fit {min(seconds):.0f} to {max(seconds):.0f}, seeds 0-{seeds - 1}, float64"
            report(f"pde/{recipe}, relative l2", f"<= {error:.0e} in {most} s", list(errors), met, "", note, 12)


if __name__ == "__main__":
    main(sys.argv[1:])
