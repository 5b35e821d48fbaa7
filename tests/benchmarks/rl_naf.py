"""NAF on Pendulum-v1 over seeds, with and without a learned model: return at 10,000 steps and steps until -200.

python tests/benchmarks/rl_naf.py [--seeds N] [--first SEED] [--processes P] [RECIPE ...]
"""

import logging
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import report
from tests.benchmarks.rl_runs import Curve, curve_of
from tests.benchmarks.seeds import seeds_of, words_of_seeds

LEAST, STEPS = -200, 10_000


def steps_to_reach(curve: Curve) -> float:
    """Environment steps at the first evaluation with at least -200; infinite without one."""
    return next((n for n, value in zip(curve.steps, curve.returns, strict=True) if value >= LEAST), float("inf"))


def quietly(recipe: str, seed: int) -> Curve:
    """The curve of one run, said in a line."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    curve = curve_of(recipe, seed)
    print(recipe, seed, round(curve.seconds[-1], 1), [round(value) for value in curve.returns], flush=True)
    return curve


def main(recipes: list[str], seeds: range, processes: int) -> None:
    """Run and report."""
    means = {}
    pool = ProcessPoolExecutor(processes, get_context("spawn"))
    found = {name: pool.map(quietly, repeat(name), seeds) for name in recipes}
    for recipe, made in found.items():
        curves = list(made)
        last, reached = [c.returns[-1] for c in curves], [steps_to_reach(c) for c in curves]
        means[recipe] = sum(reached) / len(reached)
        seconds = [c.seconds[-1] for c in curves]
        note = f"mean of 20 greedy episodes, seeds {seeds[0]} to {seeds[-1]}, {max(c.steps[-1] for c in curves)} steps"
        note += f", CPU seconds {min(seconds):.0f} to {max(seconds):.0f}"
        met = min(last) >= LEAST and max(c.steps[-1] for c in curves) <= STEPS
        report(f"rl/{recipe}, return at 10,000 steps", f">= {LEAST}, every seed", last, met, "", note)
        fewer = means[recipe] <= means.get("pendulum_naf", float("inf"))
        bar = "with the model fewer on average than without"
        report(f"rl/{recipe}, steps until {LEAST}", bar, reached, fewer, "steps", note)


if __name__ == "__main__":
    words = words_of_seeds(5)
    words.add_argument("--processes", type=int, default=1)
    words.add_argument("recipes", nargs="*", default=["pendulum_naf", "pendulum_naf_model"])
    given = words.parse_args()
    main(given.recipes, seeds_of(given), given.processes)
