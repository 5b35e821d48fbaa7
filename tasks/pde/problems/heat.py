"""Heat equation."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.references import grid_of


class Heat(Problem):
    """u_t = alpha u_xx on t, x in [0, 1]; u(0, x) = sin(pi x), u = 0 at both ends; u = exp(-alpha pi^2 t) sin(pi x).

    Args:
        alpha: diffusivity.
    """

    bounds = {"t": (0.0, 1.0), "x": (0.0, 1.0)}

    def __init__(self, alpha: float = 0.4):
        self.constants = {"alpha": alpha}

    def equation(self, u: Field, points: Coordinates, alpha: Any) -> Tensor:
        """See `Problem`."""
        return u.t - alpha * u.xx

    def offset(self, x: Coordinates) -> Any:
        """The initial condition."""
        return torch.sin(x.x * math.pi)

    def factor(self, x: Coordinates) -> Any:
        """Zero at the start and at both ends."""
        return x.t * x.x * (1 - x.x)

    def conditions(self) -> dict[str, Condition]:
        """The initial condition and both ends."""
        return {
            "initial": Condition(lambda u, points, **_: u.value - self.offset(points), {"t": 0.0}),
            "low": Condition(lambda u, points, **_: u.value, {"x": 0.0}),
            "high": Condition(lambda u, points, **_: u.value, {"x": 1.0}),
        }

    def solution(self, points_ND: Tensor) -> tuple[Tensor, float]:
        """The exact one."""
        t_N, x_N = points_ND.unbind(1)
        values_N = torch.exp(-self.constants["alpha"] * math.pi**2 * t_N) * torch.sin(math.pi * x_N)
        return values_N[:, None], 1e-15

    def reference(self) -> Reference:
        """The exact solution."""
        points_ND, grid = grid_of(self.bounds, (51, 101))
        return Reference(points_ND, *self.solution(points_ND), grid)
