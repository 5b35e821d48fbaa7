"""PDE recipes over seeds: relative l2 error against the reference, and CPU seconds of the fit.

python tests/benchmarks/pde.py [--seeds N] [NAME ...]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import ROOT, report

# name -> (recipe, further words of the command, error that must be reached, CPU seconds of the fit that it may take)
BARS = {
    "burgers, 30 s": ("burgers", ["--trainer.max_epochs=11"], 1e-5, 30),
    "burgers": ("burgers", [], 1e-6, 90),
    "burgers without its symmetry": ("burgers", ["--model.symmetry=null", "--trainer.max_epochs=14"], 1e-4, 60),
    "poisson": ("poisson", [], 1e-8, 5),
    "poisson_features": ("poisson_features", [], 1e-12, 10),
    "heat": ("heat", [], 1e-6, 60),
    "heat_features": ("heat_features", [], 1e-9, 60),
    "wave": ("wave", [], 1e-6, 60),
    "kovasznay": ("kovasznay", [], 1e-6, 60),
    "taylor_green": ("taylor_green", [], 1e-6, 60),
    "allen_cahn": ("allen_cahn", [], 5e-5, 90),
    "kdv": ("kdv", [], 1e-3, 180),
    "schroedinger": ("schroedinger", [], 1e-3, 180),
    "helmholtz": ("helmholtz", [], 1e-4, 180),
    "advection": ("advection", [], 1e-4, 180),
    "reaction_diffusion": ("reaction_diffusion", [], 1e-4, 180),
    "cavity": ("cavity", [], 2e-3, 600),
    "robertson": ("robertson", [], 1e-4, 60),
    "poisson_5d": ("poisson_5d", [], 1e-8, 60),
    "l_shape": ("l_shape", [], 2e-3, 60),
    "burgers_discrete": ("burgers_discrete", [], 8e-4, float("inf")),
}


def fit(recipe: str, seed: int, folder: str, further: list[str]) -> tuple[float, float]:
    """(relative l2 error, CPU seconds of the fit) of one `zoo fit pde/RECIPE`."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from zoo.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = ["fit", f"pde/{recipe}", "--root", folder, "--seed_everything", str(seed), *further]
    subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True)
    newest = max((Path(folder) / "pde" / recipe).iterdir(), key=lambda path: int(path.name))
    metrics = json.loads((newest / "metrics.json").read_text())
    return metrics["test/relative_l2"], metrics["fit_cpu_seconds"]


def main(names: list[str], seeds: int) -> None:
    """Run and report."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names or list(BARS):
            recipe, further, error, most = BARS[name]
            errors, seconds = zip(*(fit(recipe, seed, folder, further) for seed in range(seeds)), strict=True)
            met = max(errors) <= error and max(seconds) <= most
            note = f"CPU seconds of the fit {min(seconds):.0f} to {max(seconds):.0f}, seeds 0-{seeds - 1}, float64"
            bar = f"<= {error:.0e}" + (f" in {most} s" if most < float("inf") else "")
            report(f"pde/{name}, relative l2", bar, list(errors), met, "", note, 16)


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int, default=5)
    words.add_argument("names", nargs="*", choices=[*BARS, []])
    given = words.parse_args()
    main(given.names, given.seeds)
