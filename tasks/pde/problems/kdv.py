"""Korteweg-de Vries' equation: a cosine steepens and breaks into solitons. Zabusky and Kruskal (1965)."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Reference
from tasks.pde.problems.initial_value import InitialValue
from tasks.pde.references import axes_of, grid_of, korteweg_de_vries


class KortewegDeVries(InitialValue):
    """u_t + u u_x + 0.0025 u_xxx = 0 on t in [0, 1], x in [-1, 1], periodic; u(0, x) = cos(pi x).

    The period is built in by `model.periodic: {x: ...}`.
    """

    bounds = {"t": (0.0, 1.0), "x": (-1.0, 1.0)}

    def __init__(self):
        self.constants = {"convection": 1.0, "dispersion": 0.0025}

    def equation(self, u: Field, points: Coordinates, convection: Any, dispersion: Any) -> Tensor:
        """See `Problem`."""
        return u.t + convection * u.value * u.x + dispersion * u.xxx

    def offset(self, x: Coordinates) -> Any:
        """The initial condition."""
        return torch.cos(x.x * math.pi)

    def reference(self) -> Reference:
        """By ETDRK4."""
        points_ND, grid = grid_of(self.bounds, (101, 257))
        values_TX, error = korteweg_de_vries(*axes_of(self.bounds, grid))
        return Reference(points_ND, values_TX.reshape(-1, 1), error, grid)
