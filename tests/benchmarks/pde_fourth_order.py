"""Loss and gradient of fourth-order operators: jets against nested autograd, eager, float64, one thread.

python tests/benchmarks/pde_fourth_order.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import nn

from tasks.pde.networks import MLP
from tests.benchmarks.results import report
from tests.benchmarks.timing import in_turn
from zoo.derivatives import JetSpace, derivatives_of

# name -> (coordinates, derivatives and their weights)
OPERATORS = {
    "u_t + u_xxxx": (("t", "x"), {"t": 1.0, "xxxx": 1.0}),
    "biharmonic": (("x", "y"), {"xxxx": 1.0, "xxyy": 2.0, "yyyy": 1.0}),
}
CASES = [(20, 1_000), (20, 10_000), (64, 1_000), (64, 10_000)]  # width of the 4 hidden layers, points


def step_of(net: nn.Module, points_ND: torch.Tensor, operator: str, method: str):
    """A function that computes the loss and its gradient."""
    coordinates, weights = OPERATORS[operator]
    space = JetSpace(coordinates, frozenset(weights))

    def step() -> None:
        u = derivatives_of(net, points_ND, space, method)
        residual = sum(weight * u[name] for name, weight in weights.items())
        torch.autograd.grad(residual.square().mean(), list(net.parameters()), allow_unused=True)

    return step


def main(repetitions: int = 5) -> None:
    """Run and report."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for operator in OPERATORS:
        ratios, notes = [], []
        for width, points in CASES:
            net, points_ND = MLP(2, 1, [width] * 4).double(), torch.rand(points, 2, dtype=torch.float64)
            steps = {method: step_of(net, points_ND, operator, method) for method in ("jets", "nested")}
            seconds = in_turn(steps, repetitions)
            ratios.append(seconds["nested"] / seconds["jets"])
            notes.append(f"4x{width}, {points}: {1e3 * seconds['jets']:.0f} against {1e3 * seconds['nested']:.0f} ms")
        report(
            f"pde, {operator}, nested autograd's time over jets'",
            ">= 2",
            ratios,
            min(ratios) >= 2,
            "",
            "; ".join(notes),
        )


if __name__ == "__main__":
    main()
