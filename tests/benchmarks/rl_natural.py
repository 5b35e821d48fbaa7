"""TRPO, natural policy gradients, natural actor-critic and parameter exploration on CartPole-v1 over seeds: CPU seconds
of training, evaluations not counted.

python tests/benchmarks/rl_natural.py [--seeds N] [--first SEED] [NAME ...]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import report
from tests.benchmarks.rl_runs import curve_of
from tests.benchmarks.seeds import seeds_of, words_of_seeds

LEAST = 475
MOST = {"trpo": 4.0, "npg": 4.0, "nac": 4.0, "pgpe": 0.4}  # CPU seconds
EPOCHS = {"pgpe": "30"}  # else 60


def main(names: list[str], seeds: range) -> None:
    """Run and report: seconds until the third evaluation in a row that reaches 475."""
    for name in names or MOST:
        curve_of(f"cartpole_{name}", 0, {"trainer.max_epochs": "1"})  # a first run pays for lazy imports
        options = {"trainer.max_epochs": EPOCHS.get(name, "60")}
        curves = [curve_of(f"cartpole_{name}", seed, options, LEAST) for seed in seeds]
        solved = [curve for curve in curves if curve.solved_at(LEAST) is not None]
        seconds = [curve.seconds[-1] for curve in solved]
        first = [curve.seconds[curve.solved_at(LEAST)] for curve in solved]
        note = (
            f"{len(solved)}/{len(seeds)} seeds from {seeds[0]} on; until the third; the first stood after {min(first):.2f} "
            f"to {max(first):.2f} s, {max(curve.steps[-1] for curve in solved)} steps at most; float32, one thread"
        )
        met = len(solved) == len(seeds) and max(seconds) <= MOST[name]
        bar = f"mean of 20 greedy episodes >= {LEAST} three times in a row within {MOST[name]:g} CPU s, every seed"
        report(f"rl/cartpole_{name}, CPU seconds of training", bar, seconds, met, "s", note)


if __name__ == "__main__":
    words = words_of_seeds(10)
    words.add_argument("names", nargs="*", choices=[*MOST, []])
    given = words.parse_args()
    main(given.names, seeds_of(given))
