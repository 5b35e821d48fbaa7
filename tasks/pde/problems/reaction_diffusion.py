"""Reaction and diffusion: Fisher's equation from a Gaussian. Krishnapriyan et al. (2021), section 3.2."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.problems.lifts import rounded_ramps
from tasks.pde.references import axes_of, fisher, grid_of


class ReactionDiffusion(Problem):
    """u_t = nu u_xx + rho u (1 - u) on t in [0, 1], x in [0, 2 pi], periodic, even about pi.

    u(0, x) = exp(-(x - pi)^2 / (2 (pi / 4)^2)), whose slope jumps by 2 * 0.0017 at the ends.

    Args:
        nu: diffusion; 5 is the paper's.
        rho: rate of growth; 5 is the paper's.
        lifted: add diffusion's own solution from that jump to the offset.
    """

    bounds = {"t": (0.0, 1.0), "x": (0.0, 2 * math.pi)}

    def __init__(self, nu: float = 5.0, rho: float = 5.0, lifted: bool = True):
        self.constants = {"nu": nu, "rho": rho}
        self.lifted = lifted

    def equation(self, u: Field, points: Coordinates, nu: Any, rho: Any) -> Tensor:
        """See `Problem`."""
        return u.t - nu * u.xx - rho * u.value * (1 - u.value)

    def start(self, x: Coordinates) -> Any:
        """The initial condition."""
        away = x.x - math.pi
        return torch.exp(away * away * (-8 / math.pi**2))

    def offset(self, x: Coordinates) -> Any:
        """The initial condition, its kinks (and their images, which diffusion brings into the domain) rounded off."""
        u, variance = self.start(x), x.t * (2 * self.constants["nu"])
        jump = 2 * 16 / math.pi * math.exp(-8)
        kinks = [-x.x, x.x - 2 * math.pi, -x.x - 2 * math.pi, x.x - 4 * math.pi] if self.lifted else []
        for distance in kinks:
            u = u + rounded_ramps(distance, variance, 1)[1] * jump
        return u

    def factor(self, x: Coordinates) -> Any:
        """Zero at the start."""
        return x.t

    def conditions(self) -> dict[str, Condition]:
        """The initial condition."""
        return {"initial": Condition(lambda u, points, **_: u.value - self.start(points), {"t": 0.0})}

    def reference(self) -> Reference:
        """By ETDRK4."""
        points_ND, grid = grid_of(self.bounds, (101, 129))
        values_TX, error = fisher(*axes_of(self.bounds, grid), self.constants["nu"], self.constants["rho"])
        return Reference(points_ND, values_TX.reshape(-1, 1), error, grid)
