"""Viscous Burgers equation with a steep layer at x = 0. Raissi, Perdikaris and Karniadakis (2017, part I)."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.references import cole_hopf, grid_of


class Burgers(Problem):
    """u_t + u u_x = nu u_xx on t in [0, 1], x in [-1, 1]; u(0, x) = -sin(pi x), u = 0 at both ends; odd in x.

    Args:
        nu: viscosity; 0.01 / pi in the paper.
    """

    bounds = {"t": (0.0, 1.0), "x": (-1.0, 1.0)}
    crowd = {"x": 0.0}

    def __init__(self, nu: float = 0.01 / math.pi):
        self.constants = {"nu": nu}

    def equation(self, u: Field, points: Coordinates, nu: Any) -> Tensor:
        """See `Problem`."""
        return u.t + u.value * u.x - nu * u.xx

    def offset(self, x: Coordinates) -> Any:
        """The initial condition."""
        return -torch.sin(x.x * math.pi)

    def factor(self, x: Coordinates) -> Any:
        """Zero at the start and at both ends."""
        return x.t * (1 - x.x * x.x)

    def conditions(self) -> dict[str, Condition]:
        """The initial condition and both ends."""
        return {
            "initial": Condition(lambda u, points, **_: u.value - self.offset(points), {"t": 0.0}),
            "low": Condition(lambda u, points, **_: u.value, {"x": -1.0}),
            "high": Condition(lambda u, points, **_: u.value, {"x": 1.0}),
        }

    def solution(self, points_ND: Tensor) -> tuple[Tensor, float]:
        """By the Cole-Hopf transformation."""
        values_N, error = cole_hopf(points_ND[:, 0], points_ND[:, 1], self.constants["nu"])
        return values_N[:, None], error

    def reference(self) -> Reference:
        """On the grid of the published file (its first time is the condition)."""
        points_ND, grid = grid_of(self.bounds, (100, 256))
        return Reference(points_ND, *self.solution(points_ND), grid)
