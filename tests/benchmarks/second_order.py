"""Second-order optimisers against their nearest peers, on the heat equation, in CPU seconds of one core.

Matrix-free against dense Levenberg-Marquardt at a net of 4,417 parameters; SSBroyden against torch's L-BFGS.

python tests/benchmarks/second_order.py
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tasks.pde.data import unit_points
from tasks.pde.networks import MLP
from tasks.pde.problems import Heat
from tasks.pde.task import PhysicsInformed
from tests.benchmarks.results import report
from zoo.optim import LevenbergMarquardt, MatrixFreeLevenbergMarquardt, SSBroyden


def stepper(make: Callable, hidden: list[int], points: int, seed: int) -> tuple[PhysicsInformed, Callable[[], float]]:
    """A task and a function that takes one step on the same points and returns the loss before it."""
    torch.manual_seed(seed)
    task = PhysicsInformed(Heat(), MLP(2, 1, hidden).double(), make, symmetry={"x": "even"})
    optimizer, batch = make(list(task.parameters())), task.placed(unit_points(points, "sobol", seed))

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = sum(task.loss(task.net, batch).values())
        loss.backward()
        return loss

    least_squares = getattr(optimizer, "wants_residuals", False)
    asked = partial(task._linearised, batch, optimizer) if least_squares else closure
    return task, lambda: float(optimizer.step(asked).detach())


def seconds_of_steps(make: Callable, steps: int = 4) -> float:
    """CPU seconds of the first steps at 4,417 parameters and 1,000 points."""
    _, step = stepper(make, [64, 64], 1000, 0)
    start = time.process_time()
    for _ in range(steps):
        step()
    return time.process_time() - start


def error_after(make: Callable, seconds: float, seed: int) -> float:
    """Relative l2 error after so many CPU seconds, 481 parameters and 300 points."""
    task, step = stepper(make, [20, 20], 300, seed)
    start = time.process_time()
    while time.process_time() - start < seconds:
        step()
    return float(task.relative_error())


def main() -> None:
    """Measure and report."""
    dense = seconds_of_steps(LevenbergMarquardt)
    for space in ("parameters", "residuals"):
        ratio = seconds_of_steps(partial(MatrixFreeLevenbergMarquardt, space=space)) / dense
        note = "4 steps, 4,417 parameters, 1,000 points, float64"
        report(f"matrix-free LM in the space of {space} / dense LM", "<= 0.5", [ratio], ratio <= 0.5, "", note)
    lbfgs = partial(torch.optim.LBFGS, line_search_fn="strong_wolfe", tolerance_grad=0, tolerance_change=0)
    ratios = [error_after(SSBroyden, 6, seed) / error_after(lbfgs, 6, seed) for seed in range(3)]
    note = "heat, error after 6 CPU seconds, 481 parameters, 300 points, seeds 0-2, float64"
    report("SSBroyden / torch L-BFGS", "<= 0.1", ratios, max(ratios) <= 0.1, "", note, 5)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
