"""Wave equation with two standing waves. Wang, Yu and Perdikaris (2022), section 7.2."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.references import grid_of


class Wave(Problem):
    """u_tt = c^2 u_xx on t, x in [0, 1]; u(0, x) = sin(pi x) + sin(4 pi x) / 2 at rest, u = 0 at both ends.

        u = sin(pi x) cos(c pi t) + sin(4 pi x) cos(4 c pi t) / 2

    Every motion of the string comes back after 2 / c (once for c = 2), and is even in time about where it rests.

    Args:
        c: speed; 2 in the paper.
    """

    bounds = {"t": (0.0, 1.0), "x": (0.0, 1.0)}

    def __init__(self, c: float = 2.0):
        self.constants = {"c": c}

    def equation(self, u: Field, points: Coordinates, c: Any) -> Tensor:
        """See `Problem`."""
        return u.tt - c * c * u.xx

    def offset(self, x: Coordinates) -> Any:
        """The initial condition."""
        return torch.sin(x.x * math.pi) + torch.sin(x.x * (4 * math.pi)) * 0.5

    def factor(self, x: Coordinates) -> Any:
        """Zero at both ends, and with its rate at the start and whenever the string comes back to it.

        32: the net is to be of order one; without it two of three seeds do not find the waves.
        """
        back = torch.sin(x.t * (self.constants["c"] * math.pi / 2))
        return back * back * x.x * (1 - x.x) * 32.0

    def conditions(self) -> dict[str, Condition]:
        """Value and rate at the start, and both ends."""
        return {
            "initial": Condition(lambda u, points, **_: u.value - self.offset(points), {"t": 0.0}),
            "at_rest": Condition(lambda u, points, **_: u.t, {"t": 0.0}),
            "low": Condition(lambda u, points, **_: u.value, {"x": 0.0}),
            "high": Condition(lambda u, points, **_: u.value, {"x": 1.0}),
        }

    def reference(self) -> Reference:
        """The exact solution."""
        points_ND, grid = grid_of(self.bounds, (101, 101))
        t_N, x_N = (points_ND * math.pi).unbind(1)
        c = self.constants["c"]
        values_N = torch.sin(x_N) * torch.cos(c * t_N) + torch.sin(4 * x_N) * torch.cos(4 * c * t_N) / 2
        return Reference(points_ND, values_N[:, None], 1e-15, grid)
