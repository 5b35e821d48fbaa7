"""The nonlinear Schroedinger equation. Raissi, Perdikaris and Karniadakis (2017, part I)."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.problems.lifts import dispersed_ramp
from tasks.pde.references import axes_of, grid_of, schroedinger


class Schroedinger(Problem):
    """i h_t + h_xx / 2 + |h|^2 h = 0 on t in [0, pi / 2], x in [-5, 5], periodic, even; h = u + i v.

    h(0, x) = 2 sech x, whose slope jumps by 0.054 at the ends. That jump does not go away by itself: a net that is
    periodic, plus an offset that keeps it, solves another problem (7.5e-3 away) to any residual.
    """

    bounds = {"t": (0.0, math.pi / 2), "x": (-5.0, 5.0)}
    fields = ("u", "v")

    def equation(self, u: Field, v: Field, points: Coordinates) -> Tensor:
        """Real and imaginary part."""
        intensity = u.value**2 + v.value**2
        return torch.stack([u.t + v.xx / 2 + intensity * v.value, v.t - u.xx / 2 - intensity * u.value], 1)

    def offset(self, x: Coordinates) -> Any:
        """The initial condition."""
        e = torch.exp(x.x)
        start = torch.reciprocal(e + torch.reciprocal(e)) * 4.0
        return torch.cat([start, start * 0.0], -1)

    def factor(self, x: Coordinates) -> Any:
        """Zero at the start."""
        return x.t

    def conditions(self) -> dict[str, Condition]:
        """The initial condition."""

        def initial(u: Field, v: Field, points: Coordinates) -> Tensor:
            return torch.stack([u.value - 2 / torch.cosh(points.x), v.value], 1)

        return {"initial": Condition(initial, {"t": 0.0})}

    def reference(self) -> Reference:
        """By split steps."""
        points_ND, grid = grid_of(self.bounds, (101, 257))
        values_TX, error = schroedinger(*axes_of(self.bounds, grid))
        values_N = values_TX.flatten()
        return Reference(points_ND, torch.stack([values_N.real, values_N.imag], 1), error, grid)


class SchroedingerLifted(Schroedinger):
    """The same, with the free equation's solution from the jump in the offset, within a window around each end."""

    def offset(self, x: Coordinates) -> Any:
        """2 sech x, and the dispersed jumps."""
        jump = 4 * math.tanh(5.0) / math.cosh(5.0)
        parts = []
        for distance in (x.x - 5.0, -x.x - 5.0):
            near = torch.exp((distance * (1 / WINDOW)) ** 4 * -1.0)
            parts.append([part * near * jump for part in dispersed_ramp(distance, x.t)])
        (u1, v1), (u2, v2) = parts
        return super().offset(x) + torch.cat([u1 + u2, v1 + v2], -1)


WINDOW = 4.0  # beyond it a jump's waves are left to the net
