"""Kuramoto-Sivashinsky's equation, the part before chaos. Wang, Sankaran and Perdikaris (2022)."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Reference
from tasks.pde.problems.initial_value import InitialValue
from tasks.pde.references import axes_of, grid_of, kuramoto_sivashinsky


class KuramotoSivashinsky(InitialValue):
    """u_t + 5 u u_x + 0.5 u_xx + 0.005 u_xxxx = 0 on t in [0, end], x in [-1, 1], periodic, odd; u(0, x) = -sin(pi x).

    Waves around the third grow by exp(11 t), so errors do. The period is built in by `periodic: {x: ...}`.

    Args:
        end: of time; up to 1 in the paper, which marches there.
    """

    def __init__(self, end: float = 1.0):
        self.bounds = {"t": (0.0, end), "x": (-1.0, 1.0)}

    def equation(self, u: Field, points: Coordinates) -> Tensor:
        """See `Problem`."""
        return u.t + 5 * u.value * u.x + 0.5 * u.xx + 0.005 * u.xxxx

    def offset(self, x: Coordinates) -> Any:
        """The initial condition."""
        return -torch.sin(x.x * math.pi)

    def reference(self) -> Reference:
        """By ETDRK4."""
        points_ND, grid = grid_of(self.bounds, (101, 257))
        values_TX, error = kuramoto_sivashinsky(*axes_of(self.bounds, grid))
        return Reference(points_ND, values_TX.reshape(-1, 1), error, grid)
