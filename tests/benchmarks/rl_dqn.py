"""DQN on CartPole-v1 over seeds: how steady it is to 50,000 steps, and CPU seconds of training, evaluations not counted.

python tests/benchmarks/rl_dqn.py [--seeds N] [--first SEED]
"""

import argparse
import logging
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import report
from tests.benchmarks.rl_runs import Curve, curve_of

LEAST, SHARE, SECONDS, STEPS = 475, 0.8, 25, 50_000


def steadiness(curve: Curve) -> float:
    """Share of the evaluations of the second half with at least 475."""
    second = curve.returns[len(curve.returns) // 2 :]
    return sum(value >= LEAST for value in second) / len(second)


def main(seeds: range) -> None:
    """Run and report."""
    curves = []
    for seed in seeds:
        curves.append(curve_of("cartpole_dqn", seed))
        print(seed, curves[-1].steps[-1], round(curves[-1].seconds[-1], 1), [round(r) for r in curves[-1].returns])
    last = [curve.returns[-1] for curve in curves]
    shares = [steadiness(curve) for curve in curves]
    seconds = [curve.seconds[-1] for curve in curves]
    within = max(curve.steps[-1] for curve in curves) <= STEPS
    note = f"mean of 20 greedy episodes, seeds {seeds[0]} to {seeds[-1]}, {max(c.steps[-1] for c in curves)} steps"
    report("rl/cartpole_dqn, return at the end", f">= {LEAST}", last, within and min(last) >= LEAST, "", note)
    bar = f">= {SHARE} of the second half's evaluations >= {LEAST}"
    report("rl/cartpole_dqn, steadiness", bar, shares, within and min(shares) >= SHARE, "", note)
    report("rl/cartpole_dqn, CPU seconds", f"<= {SECONDS} s", seconds, max(seconds) <= SECONDS, "s", note)


if __name__ == "__main__":
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int, default=10)
    words.add_argument("--first", type=int, default=0)
    given = words.parse_args()
    main(range(given.first, given.first + given.seeds))
