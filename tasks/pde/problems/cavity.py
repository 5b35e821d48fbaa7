"""Lid-driven cavity, its corner singularities lifted. Ghia, Ghia and Shin (1982); Botella and Peyret (1998)."""

from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.flow import velocities, vorticity_transport
from tasks.pde.problem import Problem, Reference
from tasks.pde.problems.corner import corner_flow


class Cavity(Problem):
    """Stream function of the steady flow in [0, 1]^2 whose lid y = 1 moves with u = 1; walls at rest, nu = 1/Re.

    The velocity jumps at both ends of the lid, where the vorticity grows like 1/r: the offset has this part of the
    solution (Taylor 1962), and the residual is weighted by the squared distances to both ends.

    Args:
        reynolds: Re.
    """

    bounds = {"x": (0.0, 1.0), "y": (0.0, 1.0)}
    fields = ("psi",)
    observables = ("u", "v")

    def __init__(self, reynolds: float = 100.0, lifted: int = 2, reach: float = 20.0):
        self.constants = {"nu": 1 / reynolds}
        self.reynolds, self.lifted, self.reach = reynolds, lifted, reach / reynolds

    def equation(self, psi: Field, points: Coordinates, nu: Any) -> Tensor:
        """See `Problem`."""
        x, depth = points.x, 1 - points.y
        near = (x**2 + depth**2) * ((1 - x) ** 2 + depth**2)
        return near * vorticity_transport(psi, nu)

    def offset(self, x: Coordinates) -> Any:
        """The flows at both ends of the lid, each made to end before it reaches another wall."""
        depth = 1 - x.y
        return sum(self._corner(along, depth, sign) for along, sign in ((x.x, -1.0), (1 - x.x, 1.0)))

    def _corner(self, along: Any, depth: Any, sign: float) -> Any:
        # Seen from the left end of the lid, which moves away, x and depth are a left-handed pair: inertia changes sign.
        slow, *inertia = corner_flow(along, depth, sign * self.reynolds, self.lifted)
        distance = (along * along + depth * depth) * (1 / self.reach**2)
        near = torch.exp(-(distance * distance))
        return fade(along) * fade(depth) * (slow + sum(inertia) * near)

    def factor(self, x: Coordinates) -> Any:
        """Zero with its slope on all walls, so that both velocities are as given there."""
        flat = x.x * (1 - x.x) * x.y * (1 - x.y)
        return flat * flat * 100

    def observed(self, psi: Field, points: Coordinates) -> Tensor:
        """Both velocities."""
        return velocities(psi)

    def reference(self) -> Reference:
        """By Chebyshev collocation."""
        raise NotImplementedError


def fade(s: Any) -> Any:
    """1 at s = 0, 0 at s = 1, flat to third order at both; fade(s) + fade(1 - s) = 1."""
    return 1 - s**4 * (35 - s * (84 - s * (70 - s * 20)))
