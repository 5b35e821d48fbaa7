"""TRPO, natural policy gradients and natural actor-critic on CartPole-v1 over seeds: CPU seconds of training.

python tests/benchmarks/rl_natural.py [--seeds N] [--first SEED] [NAME ...]
"""

import argparse
import logging
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import report
from tests.benchmarks.rl_runs import curve_of

NAMES, LEAST, MOST = ("trpo", "npg", "nac"), 475, 4.0


def main(names: list[str], seeds: range) -> None:
    """Run and report: seconds until the first of three evaluations in a row that reach 475."""
    for name in names or NAMES:
        curves = [curve_of(f"cartpole_{name}", seed, {"trainer.max_epochs": "60"}, LEAST) for seed in seeds]
        solved = [curve for curve in curves if curve.solved_at(LEAST) is not None]
        seconds = [curve.seconds[curve.solved_at(LEAST)] for curve in solved]
        third = [curve.seconds[-1] for curve in solved]
        note = (
            f"{len(solved)}/{len(seeds)} seeds from {seeds[0]} on; the third of the three stood after {min(third):.2f} "
            f"to {max(third):.2f} s, {max(curve.steps[-1] for curve in solved)} steps at most; float32, one thread"
        )
        met = len(solved) == len(seeds) and max(seconds) <= MOST
        bar = f"mean of 20 greedy episodes >= {LEAST} three times in a row within {MOST:g} CPU s, every seed"
        report(f"rl/cartpole_{name}, CPU seconds of training", bar, seconds, met, "s", note)


if __name__ == "__main__":
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int, default=10)
    words.add_argument("--first", type=int, default=0)
    words.add_argument("names", nargs="*", choices=[*NAMES, []])
    given = words.parse_args()
    main(given.names, range(given.first, given.first + given.seeds))
