"""Kuramoto-Sivashinsky's equation, the part before chaos. Wang, Sankaran and Perdikaris (2022)."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.references import axes_of, grid_of, kuramoto_sivashinsky


class KuramotoSivashinsky(Problem):
    """u_t + 5 u u_x + 0.5 u_xx + 0.005 u_xxxx = 0 on t in [0, 1], x in [-1, 1], periodic, odd; u(0, x) = -sin(pi x).

    The period is no condition at a point: it is built in by `periodic: {x: ...}`.
    """

    bounds = {"t": (0.0, 1.0), "x": (-1.0, 1.0)}

    def equation(self, u: Field, points: Coordinates) -> Tensor:
        """See `Problem`."""
        return u.t + 5 * u.value * u.x + 0.5 * u.xx + 0.005 * u.xxxx

    def offset(self, x: Coordinates) -> Any:
        """The initial condition."""
        return -torch.sin(x.x * math.pi)

    def factor(self, x: Coordinates) -> Any:
        """Zero at the start."""
        return x.t

    def conditions(self) -> dict[str, Condition]:
        """The initial condition."""
        return {"initial": Condition(lambda u, points, **_: u.value - self.offset(points), {"t": 0.0})}

    def reference(self) -> Reference:
        """By ETDRK4."""
        points_ND, grid = grid_of(self.bounds, (101, 257))
        values_TX, error = kuramoto_sivashinsky(*axes_of(self.bounds, grid))
        return Reference(points_ND, values_TX.reshape(-1, 1), error, grid)
