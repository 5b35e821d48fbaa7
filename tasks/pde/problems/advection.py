"""Advection, too fast for the usual training. Krishnapriyan et al. (2021), with the speed of Wang et al. (2023)."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Reference
from tasks.pde.problems.initial_value import InitialValue
from tasks.pde.references import grid_of


class Advection(InitialValue):
    """u_t + beta u_x = 0 on t in [0, 1], x in [0, 2 pi], periodic; u(0, x) = sin(x); u = sin(x - beta t).

    The period is no condition at a point: it is built in by `periodic: {x: ...}`.

    Args:
        beta: speed.
    """

    bounds = {"t": (0.0, 1.0), "x": (0.0, 2 * math.pi)}

    def __init__(self, beta: float = 50.0):
        self.constants = {"beta": beta}

    def equation(self, u: Field, points: Coordinates, beta: Any) -> Tensor:
        """See `Problem`."""
        return u.t + beta * u.x

    def offset(self, x: Coordinates) -> Any:
        """The initial condition."""
        return torch.sin(x.x)

    def factor(self, x: Coordinates) -> Any:
        """Zero at the start, and one as soon as the wave has moved: t alone would ask the net for a wave over t."""
        return 1 - torch.exp(x.t * -self.constants["beta"])

    def reference(self) -> Reference:
        """The exact solution."""
        points_ND, grid = grid_of(self.bounds, (201, 129))
        t_N, x_N = points_ND.unbind(1)
        return Reference(points_ND, torch.sin(x_N - self.constants["beta"] * t_N)[:, None], 1e-14, grid)
