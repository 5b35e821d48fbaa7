"""Agents over seeds: CPU seconds of training to a sustained return, or the return at the end of the recipe.

python tests/benchmarks/rl.py [--seeds N] [NAME ...]

Evaluations are not counted. A run is solved once three in a row reach the return, and takes until the third of them.
"""

import argparse
import statistics
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.results import report
from tests.benchmarks.rl_runs import curve_of, tested_return, trained


@dataclass(frozen=True)
class Bar:
    """What a recipe is to reach.

    Attributes:
        least: greedy mean return.
        seconds: CPU seconds that it may take, in the median where it is solved early, else in every run.
        seeds: how many.
        early: whether what counts is when it is solved.
    """

    least: float
    seconds: float
    seeds: int
    early: bool


BARS = {
    "cartpole": Bar(475.0, 2.0, 10, True),
    "acrobot": Bar(-80.0, 20.0, 5, False),
    "lunar_lander": Bar(200.0, 120.0, 5, False),
}


def to_solution(name: str, bar: Bar, seeds: int) -> None:
    """CPU seconds until the third evaluation in a row that reaches the return."""
    curves = [curve_of(name, seed, least=bar.least) for seed in range(seeds)]
    solved = [curve.solved_at(bar.least) for curve in curves]
    taken = [c.seconds[i + 2] if i is not None else float("inf") for c, i in zip(curves, solved, strict=True)]
    reached = [seconds for seconds in taken if seconds < float("inf")]
    speed = statistics.median(c.steps[-1] / c.seconds[-1] for c in curves)
    steps = statistics.median(c.steps[-1] for c in curves)
    middle = statistics.median(taken)
    note = f"{len(reached)} of {seeds} seeds, median {middle:.2f} s and {steps:,.0f} environment steps, monitor on"
    met = len(reached) == seeds and middle <= bar.seconds
    report(
        f"rl/{name}, CPU seconds to {bar.least:g} three times", f"median <= {bar.seconds:g} s", reached, met, "s", note
    )
    if name == "cartpole":
        note = f"training with its updates, evaluations not counted, median of {seeds} seeds"
        report(f"rl/{name}, environment steps a second", ">= 25,000", [speed], speed >= 25_000, "1/s", note, 0)


def at_the_end(name: str, bar: Bar, seeds: int) -> None:
    """Greedy mean return when the recipe ends, from starts that decided nothing before."""
    returns, curves = [], []
    for seed in range(seeds):
        task, curve = trained(name, seed)
        returns.append(tested_return(task))
        curves.append(curve)
        print(seed, f"{returns[-1]:.1f}", curve.steps[-1], f"{curve.seconds[-1]:.1f} s", flush=True)
    taken, steps = [c.seconds[-1] for c in curves], [c.steps[-1] for c in curves]
    met = min(returns) >= bar.least and max(taken) <= bar.seconds
    note = (
        f"greedy mean of 100 episodes from the test's starts, {min(steps):,} to {max(steps):,} steps, "
        f"{min(taken):.0f} to {max(taken):.0f} CPU s"
    )
    report(f"rl/{name}, return", f">= {bar.least:g} in {bar.seconds:g} s", returns, met, "", note, 1)


def main(names: list[str], seeds: int | None) -> None:
    """Run and report."""
    warnings.filterwarnings("ignore")
    for name in names or list(BARS):
        bar = BARS[name]
        (to_solution if bar.early else at_the_end)(name, bar, seeds or bar.seeds)


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int)
    words.add_argument("names", nargs="*", choices=[*BARS, []])
    given = words.parse_args()
    main(given.names, given.seeds)
