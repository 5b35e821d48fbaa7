"""Constants of equations from measurements: relative errors in %, coverage of the intervals, CPU seconds of the fit.

python tests/benchmarks/pde_inverse.py [--seeds N] [NAME ...]

A run has its own seed of the net and of the measurements, and begins from the recipe's first guess.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import ROOT, commit, report
from zoo.cli.main import main as zoo

NOISE = ["--config", str(ROOT / "configs/pde/overlays/noise.yaml")]
COVERED = 85  # % of the 95 % intervals that must hold the truth
CLEAN = (0.01, 0.3)  # % of the first and the second constant; asked of Burgers' equation, and here of the others too
BURGERS = {"lambda_1": 1.0, "lambda_2": 0.01 / 3.141592653589793}
KDV = {"convection": 1.0, "dispersion": 0.0025}
FLOW = {"lambda_1": 1.0, "lambda_2": 0.1}


@dataclass(frozen=True)
class Case:
    """A recipe with the true constants, the error in % each may have, seeds, CPU seconds, further words."""

    recipe: str
    truth: dict[str, float]
    bars: dict[str, float]
    seeds: int
    most: float = float("inf")
    further: list[str] = field(default_factory=list)


CASES = {
    "burgers": Case("burgers_inverse", BURGERS, dict(zip(BURGERS, CLEAN, strict=True)), 5, 30),
    "kdv": Case("kdv_inverse", KDV, dict(zip(KDV, CLEAN, strict=True)), 3),
    "navier_stokes": Case("navier_stokes_inverse", FLOW, dict(zip(FLOW, CLEAN, strict=True)), 3),
    "burgers, 1 % noise": Case("burgers_inverse", BURGERS, {"lambda_1": 0.3, "lambda_2": 1.0}, 20, further=NOISE),
}


def fit(case: Case, seed: int, folder: str) -> dict[str, float]:
    """The figures of one `zoo fit`."""
    words = ["--seed_everything", str(seed), "--model.measurements.seed", str(seed), "--root", folder]
    if code := zoo(["fit", f"pde/{case.recipe}", *case.further, *words]):
        raise SystemExit(code)
    newest = max((Path(folder) / "pde" / case.recipe).iterdir(), key=lambda path: int(path.name))
    figures = json.loads((newest / "metrics.json").read_text())
    print(f"seed {seed}:", {name: figures[f"test/{name}"] for name in case.truth}, flush=True)
    return figures


def measure(name: str, case: Case, seeds: int) -> None:
    """Run and report a case."""
    began = commit()
    with tempfile.TemporaryDirectory() as folder:
        report_runs(name, case, [fit(case, seed, folder) for seed in range(seeds)], began)


def report_runs(name: str, case: Case, runs: list[dict[str, float]], began: str) -> None:
    """A line a constant, and with noise one for its intervals."""
    seconds = [run["fit_cpu_seconds"] for run in runs]
    note = f"CPU seconds of the fit {min(seconds):.0f} to {max(seconds):.0f}, seeds 0-{len(runs) - 1}, float64"
    within = f" in {case.most:g} s" if case.most < float("inf") else ""
    for constant, true in case.truth.items():
        misses = [abs(run[f"test/{constant}"] - true) for run in runs]
        errors, bar = [100 * miss / abs(true) for miss in misses], case.bars[constant]
        met = max(errors) <= bar and max(seconds) <= case.most
        report(f"pde/inverse {name}, {constant}", f"<= {bar:g} %{within}", errors, met, "%", note, 6, began)
        if case.further:
            held = [miss <= run[f"test/{constant}_half_width"] for miss, run in zip(misses, runs, strict=True)]
            share, row = 100 * sum(held) / len(held), f"pde/inverse {name}, 95 % intervals of {constant} that cover"
            report(row, f">= {COVERED} %", [share], share >= COVERED, "%", f"{len(held)} intervals", 0, began)


def main(names: list[str], seeds: int | None) -> None:
    """Run and report."""
    for name in names or list(CASES):
        measure(name, CASES[name], seeds or CASES[name].seeds)


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int)
    words.add_argument("names", nargs="*", choices=[*CASES, []])
    given = words.parse_args()
    main(given.names, given.seeds)
