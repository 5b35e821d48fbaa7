"""Helmholtz equation with a manufactured solution. Wang, Teng and Perdikaris (2021)."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.references import grid_of


class Helmholtz(Problem):
    """lap u + k^2 u = q on [-1, 1]^2, u = 0 on the boundary; u = sin(a1 pi x) sin(a2 pi y), odd in x and in y.

    Args:
        a1: waves along x, a whole number.
        a2: waves along y, a whole number.
        k: wave number.
    """

    bounds = {"x": (-1.0, 1.0), "y": (-1.0, 1.0)}

    def __init__(self, a1: int = 1, a2: int = 4, k: float = 1.0):
        self.a1, self.a2, self.constants = a1, a2, {"k": k}

    def exact(self, points: Coordinates) -> Any:
        """The solution."""
        return torch.sin(points.x * (self.a1 * math.pi)) * torch.sin(points.y * (self.a2 * math.pi))

    def equation(self, u: Field, points: Coordinates, k: Any) -> Tensor:
        """See `Problem`; q is that of the solution at the problem's own k."""
        q = (self.constants["k"] ** 2 - math.pi**2 * (self.a1**2 + self.a2**2)) * self.exact(points)
        return u.laplacian + k**2 * u.value - q

    def factor(self, x: Coordinates) -> Any:
        """Zero on the boundary."""
        return (1 - x.x * x.x) * (1 - x.y * x.y)

    def conditions(self) -> dict[str, Condition]:
        """Every side."""
        sides = [(letter, value) for letter in "xy" for value in (-1.0, 1.0)]
        return {f"{c} = {value:g}": Condition(lambda u, points, **_: u.value, {c: value}) for c, value in sides}

    def reference(self) -> Reference:
        """The exact solution."""
        points_ND, grid = grid_of(self.bounds, (65, 129))
        x_N, y_N = points_ND.unbind(1)
        return Reference(points_ND, self.exact(Coordinates(x=x_N, y=y_N))[:, None], 1e-15, grid)
