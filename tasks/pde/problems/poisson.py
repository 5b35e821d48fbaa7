"""Poisson's equation with a manufactured solution, in any number of dimensions."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.references import grid_of


class Poisson(Problem):
    """Laplacian of u = -d pi^2 prod_i sin(pi x_i) on [0, 1]^d, u = 0 on the boundary; u = prod_i sin(pi x_i).

    Args:
        dimensions: d, from 1 to 6.
    """

    def __init__(self, dimensions: int = 2):
        self.bounds = {letter: (0.0, 1.0) for letter in "xyzwvu"[:dimensions]}

    def exact(self, points: Coordinates) -> Any:
        """The solution."""
        product = 1.0
        for letter in self.bounds:
            product = torch.sin(getattr(points, letter) * math.pi) * product
        return product

    def equation(self, u: Field, points: Coordinates) -> Tensor:
        """See `Problem`."""
        return u.laplacian + len(self.bounds) * math.pi**2 * self.exact(points)

    def factor(self, x: Coordinates) -> Any:
        """Zero on the boundary."""
        product = 1.0
        for letter in self.bounds:
            one = getattr(x, letter)
            product = one * (1 - one) * 4 * product
        return product

    def conditions(self) -> dict[str, Condition]:
        """Every face."""
        return {
            f"{letter} = {value:g}": Condition(lambda u, points, **_: u.value, {letter: value})
            for letter in self.bounds
            for value in (0.0, 1.0)
        }

    def reference(self) -> Reference:
        """The exact solution."""
        size = {1: 401, 2: 65, 3: 21}.get(len(self.bounds), 7)
        points_ND, grid = grid_of(self.bounds, (size,) * len(self.bounds))
        points = Coordinates(**dict(zip(self.bounds, points_ND.unbind(1), strict=True)))
        return Reference(points_ND, self.exact(points)[:, None], 1e-15, grid)
