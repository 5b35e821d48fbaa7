"""Laplace's equation on the L-shape, with the singularity of a corner that points inwards."""

import math

import torch
from torch import Tensor

from tasks.pde import geometry
from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.references import grid_of


class LShape(Problem):
    """u_xx + u_yy = 0 on [-1, 1]^2 without x > 0 > y; u = r^(2/3) sin(2/3 theta), theta from the positive x axis.

    The slope of u is infinite at the origin, where half of the points are drawn.
    """

    geometry = geometry.LShape()
    bounds = geometry.bounds
    crowd = {"x": 0.0, "y": 0.0}
    built_in = ()

    def equation(self, u: Field, points: Coordinates) -> Tensor:
        """See `Problem`."""
        return u.laplacian

    def conditions(self) -> dict[str, Condition]:
        """The solution on the boundary."""
        return {"wall": Condition(lambda u, points: u.value - self.exact(points), on_boundary=True)}

    def exact(self, points: Coordinates) -> Tensor:
        """The solution."""
        angle_N = torch.atan2(points.y, points.x) % (2 * math.pi)
        return (points.x**2 + points.y**2) ** (1 / 3) * torch.sin(2 / 3 * angle_N)

    def reference(self) -> Reference:
        """The exact solution."""
        points_ND, _ = grid_of(self.bounds, (101, 101))
        points_ND = points_ND[self.geometry.inside(points_ND)]
        points = Coordinates(x=points_ND[:, 0], y=points_ND[:, 1])
        return Reference(points_ND, self.exact(points)[:, None], 1e-15)
