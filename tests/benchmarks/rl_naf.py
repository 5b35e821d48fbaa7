"""NAF on Pendulum-v1 over seeds, with and without a learned model: return at 10,000 steps and steps until -200.

python tests/benchmarks/rl_naf.py [--seeds N] [--first SEED]
"""

import argparse
import logging
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import report
from tests.benchmarks.rl_runs import Curve, curve_of

LEAST, STEPS = -200, 10_000


def steps_to_reach(curve: Curve) -> float:
    """Environment steps at the first evaluation with at least -200; infinite without one."""
    return next((n for n, value in zip(curve.steps, curve.returns, strict=True) if value >= LEAST), float("inf"))


def main(seeds: range) -> None:
    """Run and report."""
    means = {}
    for recipe in ("pendulum_naf", "pendulum_naf_model"):
        curves = []
        for seed in seeds:
            curves.append(curve_of(recipe, seed))
            print(recipe, seed, round(curves[-1].seconds[-1], 1), [round(value) for value in curves[-1].returns])
        last, reached = [c.returns[-1] for c in curves], [steps_to_reach(c) for c in curves]
        means[recipe] = sum(reached) / len(reached)
        seconds = [c.seconds[-1] for c in curves]
        note = f"mean of 20 greedy episodes, seeds {seeds[0]} to {seeds[-1]}, {max(c.steps[-1] for c in curves)} steps"
        note += f", CPU seconds {min(seconds):.0f} to {max(seconds):.0f}"
        met = min(last) >= LEAST and max(c.steps[-1] for c in curves) <= STEPS
        report(f"rl/{recipe}, return at 10,000 steps", f">= {LEAST}, every seed", last, met, "", note)
        fewer = recipe == "pendulum_naf" or means[recipe] < means["pendulum_naf"]
        bar = "with the model fewer on average than without"
        report(f"rl/{recipe}, steps until {LEAST}", bar, reached, fewer, "steps", note)


if __name__ == "__main__":
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int, default=5)
    words.add_argument("--first", type=int, default=0)
    given = words.parse_args()
    main(range(given.first, given.first + given.seeds))
