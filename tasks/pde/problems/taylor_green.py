"""Taylor-Green vortices that decay, an exact solution of the Navier-Stokes equations. Taylor and Green (1937)."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.flow import velocities, vorticity_transport
from tasks.pde.problem import Reference
from tasks.pde.problems.initial_value import InitialValue
from tasks.pde.references import grid_of


class TaylorGreen(InitialValue):
    """Stream function of the flow on t in [0, 1], x and y of period 2 pi; psi = cos x cos y e^(-2 nu t).

    Args:
        nu: viscosity.
    """

    bounds = {"t": (0.0, 1.0), "x": (0.0, 2 * math.pi), "y": (0.0, 2 * math.pi)}
    fields = ("psi",)
    observables = ("u", "v")

    def __init__(self, nu: float = 0.1):
        self.constants = {"nu": nu}

    def equation(self, psi: Field, points: Coordinates, nu: Any) -> Tensor:
        """See `Problem`."""
        return vorticity_transport(psi, nu, unsteady=True)

    def offset(self, x: Coordinates) -> Any:
        """The stream function at the start."""
        return torch.cos(x.x) * torch.cos(x.y)

    def observed(self, psi: Field, points: Coordinates) -> Tensor:
        """Both velocities."""
        return velocities(psi)

    def reference(self) -> Reference:
        """The exact solution."""
        points_ND, grid = grid_of(self.bounds, (5, 33, 33))
        t_N, x_N, y_N = points_ND.unbind(1)
        decayed = torch.exp(-2 * self.constants["nu"] * t_N)
        values_NK = torch.stack([-torch.cos(x_N) * torch.sin(y_N), torch.sin(x_N) * torch.cos(y_N)], 1)
        return Reference(points_ND, decayed[:, None] * values_NK, 1e-15, grid)
