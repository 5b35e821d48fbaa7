"""Lid-driven cavity, its corner singularities lifted. Ghia, Ghia and Shin (1982); Botella and Peyret (1998)."""

from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.flow import velocities, vorticity_transport
from tasks.pde.problem import Problem, Reference
from tasks.pde.problems.corner import corner_flow
from tasks.pde.references import axes_of, cavity, grid_of
from zoo.errors import InputError


class Cavity(Problem):
    """Stream function of the steady flow in [0, 1]^2 whose lid y = 1 moves with u = 1; walls at rest, nu = 1/Re.

    The velocity jumps at both ends of the lid, where the vorticity grows like 1/r: the offset has this part of the
    solution. The residual is weighted down towards the walls, where it says least of the velocity and where, in the
    corners, no net makes it small.

    Args:
        reynolds: Re.
        lifted: highest power of Re in the corners' flow.
        reach: how far the corners' inertia is taken, in multiples of 1/Re.
        wall_power: of the weight 16 x (1 - x) y (1 - y) of the residual; 2 leaves more of it to the inside.
    """

    bounds = {"x": (0.0, 1.0), "y": (0.0, 1.0)}
    fields = ("psi",)
    observables = ("u", "v")

    def __init__(self, reynolds: float = 100.0, lifted: int = 2, reach: float = 20.0, wall_power: int = 1):
        if wall_power < 0:
            raise InputError(f"problem.wall_power: expected 0 or more, got {wall_power}; 1 or 2 are usual")
        self.wall_power = wall_power
        self.constants = {"nu": 1 / reynolds}
        self.reynolds, self.lifted, self.reach = reynolds, lifted, reach / reynolds

    def equation(self, psi: Field, points: Coordinates, nu: Any) -> Tensor:
        """See `Problem`."""
        x, y = points.x, points.y
        return (16 * x * (1 - x) * y * (1 - y)) ** self.wall_power * vorticity_transport(psi, nu)

    def offset(self, x: Coordinates) -> Any:
        """The flows at both ends of the lid, each made to end before it reaches another wall."""
        depth = 1 - x.y
        return sum(self._corner(along, depth, sign) for along, sign in ((x.x, -1.0), (1 - x.x, 1.0)))

    def _corner(self, along: Any, depth: Any, sign: float) -> Any:
        # Seen from the left end of the lid, which moves away, x and depth are a left-handed pair: inertia changes sign.
        slow, *inertia = corner_flow(along, depth, sign * self.reynolds, self.lifted)
        near = torch.exp((along * along + depth * depth) * (-1 / self.reach**2))
        return fade(along) * fade(depth) * (slow + sum(inertia) * near)

    def factor(self, x: Coordinates) -> Any:
        """Zero with its slope on all walls, so that both velocities are as given there."""
        flat = x.x * (1 - x.x) * x.y * (1 - x.y)
        return flat * flat * 100

    def observed(self, psi: Field, points: Coordinates) -> Tensor:
        """Both velocities."""
        return velocities(psi)

    def reference(self) -> Reference:
        """By Galerkin's method with polynomials."""
        inside = {letter: (1 / 64, 63 / 64) for letter in "xy"}  # the corners have no velocity
        points_ND, grid = grid_of(inside, (63, 63))
        values_XYK, error = cavity(*axes_of(inside, (63, 63)), self.reynolds)
        return Reference(points_ND, values_XYK.flatten(0, 1), error, grid)


def fade(s: Any) -> Any:
    """1 at s = 0, 0 at s = 1, flat to third order at both; fade(s) + fade(1 - s) = 1."""
    return 1 - s**4 * (35 - s * (84 - s * (70 - s * 20)))
