"""Parameter exploration on CartPole-v1 over seeds: CPU seconds of training, evaluations not counted.

python tests/benchmarks/rl_pgpe.py [--seeds N] [--first SEED]
"""

import argparse
import logging
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import report
from tests.benchmarks.rl_runs import curve_of

LEAST, MOST = 475, 0.4


def main(seeds: range) -> None:
    """Run and report: seconds until the third evaluation in a row that reaches 475."""
    curve_of("cartpole_pgpe", 0, {"trainer.max_epochs": "1"})  # the first run in a process pays for lazy imports
    curves = [curve_of("cartpole_pgpe", seed, {"trainer.max_epochs": "30"}, LEAST) for seed in seeds]
    solved = [curve for curve in curves if curve.solved_at(LEAST) is not None]
    seconds = [curve.seconds[-1] for curve in solved]
    first = [curve.seconds[curve.solved_at(LEAST)] for curve in solved]
    note = (
        f"{len(solved)}/{len(seeds)} seeds from {seeds[0]} on; until the third; the first stood after {min(first):.2f} "
        f"to {max(first):.2f} s, {max(curve.steps[-1] for curve in solved)} steps at most; float32, one thread"
    )
    met = len(solved) == len(seeds) and max(seconds) <= MOST
    bar = f"mean of 20 greedy episodes >= {LEAST} three times in a row within {MOST} CPU s, every seed"
    report("rl/cartpole_pgpe, CPU seconds of training", bar, seconds, met, "s", note)


if __name__ == "__main__":
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int, default=10)
    words.add_argument("--first", type=int, default=0)
    given = words.parse_args()
    main(range(given.first, given.first + given.seeds))
