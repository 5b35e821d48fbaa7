"""Kovasznay's flow behind a grid, an exact solution of the steady Navier-Stokes equations. Kovasznay (1948)."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.flow import velocities, vorticity_transport
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.references import grid_of


class Kovasznay(Problem):
    """Stream function of the steady flow on [-0.5, 1] x [-0.5, 1.5] with both velocities given on every side.

        psi = y - e^(l x) sin(2 pi y) / (2 pi),  l = Re/2 - sqrt(Re^2/4 + 4 pi^2),  nu = 1/Re

    Args:
        reynolds: Re.
    """

    bounds = {"x": (-0.5, 1.0), "y": (-0.5, 1.5)}
    fields = ("psi",)
    observables = ("u", "v")

    def __init__(self, reynolds: float = 40.0):
        self.constants = {"nu": 1 / reynolds}
        self.decay = reynolds / 2 - math.sqrt(reynolds**2 / 4 + 4 * math.pi**2)

    def exact(self, points: Coordinates) -> Any:
        """The stream function."""
        wave = torch.sin(points.y * (2 * math.pi)) * (1 / (2 * math.pi))
        return points.y - torch.exp(points.x * self.decay) * wave

    def exact_velocities(self, points: Coordinates) -> Tensor:
        """[N, 2]."""
        decayed, phase = torch.exp(self.decay * points.x), 2 * math.pi * points.y
        v = self.decay / (2 * math.pi) * decayed * torch.sin(phase)
        return torch.stack([1 - decayed * torch.cos(phase), v], 1)

    def equation(self, psi: Field, points: Coordinates, nu: Any) -> Tensor:
        """See `Problem`."""
        return vorticity_transport(psi, nu)

    def conditions(self) -> dict[str, Condition]:
        """Both velocities on every side."""
        sides = [(letter, end) for letter, ends in self.bounds.items() for end in ends]

        def given(psi: Field, points: Coordinates, **_: Any) -> Tensor:
            return velocities(psi) - self.exact_velocities(points)

        return {f"{letter} = {end:g}": Condition(given, {letter: end}) for letter, end in sides}

    def observed(self, psi: Field, points: Coordinates) -> Tensor:
        """Both velocities."""
        return velocities(psi)

    def reference(self) -> Reference:
        """The exact solution."""
        points_ND, grid = grid_of(self.bounds, (61, 81))
        x_N, y_N = points_ND.unbind(1)
        return Reference(points_ND, self.exact_velocities(Coordinates(x=x_N, y=y_N)), 1e-15, grid)
