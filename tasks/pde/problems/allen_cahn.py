"""Allen-Cahn's equation from a start with a kink. Raissi, Perdikaris and Karniadakis (2017, part II)."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.problems.lifts import rounded_ramps
from tasks.pde.references import allen_cahn, axes_of, grid_of

NU, RATE = 1e-4, 5.0


class AllenCahn(Problem):
    """u_t = 1e-4 u_xx + 5 (u - u^3) on t in [0, 1], x in [-1, 1], periodic, even; u(0, x) = x^2 cos(pi x).

    The slope of the start jumps by 4 at the ends, so u is not smooth at t = 0 there and no smooth net takes it over.
    """

    bounds = {"t": (0.0, 1.0), "x": (-1.0, 1.0)}
    crowd = {"x": 0.5}

    def equation(self, u: Field, points: Coordinates) -> Tensor:
        """See `Problem`."""
        return u.t - NU * u.xx - RATE * (u.value - u.value**3)

    def offset(self, x: Coordinates) -> Any:
        """The initial condition."""
        return x.x * x.x * torch.cos(x.x * math.pi)

    def factor(self, x: Coordinates) -> Any:
        """Zero at the start."""
        return x.t

    def conditions(self) -> dict[str, Condition]:
        """The initial condition."""
        return {"initial": Condition(lambda u, points, **_: u.value - AllenCahn.offset(self, points), {"t": 0.0})}

    def reference(self) -> Reference:
        """By ETDRK4."""
        points_ND, grid = grid_of(self.bounds, (101, 257))
        values_TX, error = allen_cahn(*axes_of(self.bounds, grid))
        return Reference(points_ND, values_TX.reshape(-1, 1), error, grid)


class AllenCahnLifted(AllenCahn):
    """The same, for h in u = F(h, t), where F is the flow of the reaction alone: F_t = 5 (F - F^3), F(h, 0) = h.

        F = h e / sqrt(q),  e = exp(5 t),  q = 1 + h^2 (e^2 - 1),  F_h = e q^(-3/2)
        h_t = nu h_xx - 3 nu h (e^2 - 1) / q h_x^2,  times F_h: the residual of u

    h is nearly the heat equation's solution from u's start, which is known and takes the kink over (the lift); the
    net learns the difference, which is smooth and of the order nu t times the flow's curvature (220 at t = 1). The
    lift alone is wrong by 5e-3 (the error of splitting diffusion and reaction once).
    """

    fields = ("h",)
    observables = ("u",)

    def equation(self, h: Field, points: Coordinates) -> Tensor:
        """See `Problem`."""
        grown = torch.exp(2 * RATE * points.t)
        q = 1 + h.value**2 * (grown - 1)
        row = h.t - NU * h.xx + 3 * NU * h.value * (grown - 1) / q * h.x**2
        return row * grown.sqrt() * q**-1.5

    def offset(self, x: Coordinates) -> Any:
        """x^2 cos(pi x) after diffusion, with its kinks 4 r cos(pi r), r = max(+-x - 1, 0)."""
        variance, p = x.t * (2 * NU), math.pi
        square = x.x * x.x + variance - variance * variance * p**2
        wave = square * torch.cos(x.x * p) - x.x * variance * (2 * p) * torch.sin(x.x * p)
        heat = torch.exp(variance * (-(p**2) / 2)) * wave
        for distance in (x.x - 1, -x.x - 1):
            ramps = rounded_ramps(distance, variance, 7)  # the cosine's Taylor terms, as far as doubles see them
            heat = heat + ramps[1] * 4.0 - ramps[3] * (2 * p**2) + ramps[5] * (p**4 / 6) - ramps[7] * (p**6 / 180)
        return heat

    def factor(self, x: Coordinates) -> Any:
        """Zero at the start; of the size of what is to be learnt."""
        return x.t * (100 * NU)

    def observed(self, h: Field, points: Coordinates) -> Tensor:
        """u, [N, 1]."""
        grown = torch.exp(2 * RATE * points.t)
        return (h.value * (grown / (1 + h.value**2 * (grown - 1))).sqrt())[:, None]
