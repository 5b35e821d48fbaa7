"""The Navier-Stokes equations whose constants are to be found, on vortices that drift and decay."""

import math
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.flow import velocities, vorticity_transport
from tasks.pde.problem import Problem, Reference
from tasks.pde.references import grid_of


class InverseNavierStokes(Problem):
    """w_t + lambda_1 (u w_x + v w_y) = lambda_2 lap w, known from velocities alone: no conditions, no pressure.

    As Raissi, Perdikaris and Karniadakis (2019, section 4.2) ask of the cylinder's wake. Not every flow tells both: a
    steady one gives only lambda_2 / lambda_1, and Taylor-Green vortices, whose vorticity is not convected at all, only
    lambda_2. In a uniform stream they are: by Galilean invariance

        psi = U y - V x + cos(x - U t) cos(y - V t) e^(-2 nu t)

    is an exact solution too, and it tells lambda_1 = 1 and lambda_2 = nu.

    Args:
        nu: viscosity.
        stream: U and V.
    """

    bounds = {"t": (0.0, 1.0), "x": (0.0, 2 * math.pi), "y": (0.0, 2 * math.pi)}
    fields = ("psi",)
    observables = ("u", "v")

    def __init__(self, nu: float = 0.1, stream: tuple[float, float] = (1.0, 0.5)):
        self.constants, self.stream = {"lambda_1": 1.0, "lambda_2": nu}, stream

    def equation(self, psi: Field, points: Coordinates, lambda_1: Any, lambda_2: Any) -> Tensor:
        """See `Problem`."""
        return vorticity_transport(psi, lambda_2, unsteady=True, convection=lambda_1)

    def exact(self, points: Coordinates) -> Any:
        """The stream function."""
        (right, up), decay = self.stream, -2 * self.constants["lambda_2"]
        vortices = torch.cos(points.x - points.t * right) * torch.cos(points.y - points.t * up)
        return points.y * right - points.x * up + vortices * torch.exp(points.t * decay)

    def observed(self, psi: Field, points: Coordinates) -> Tensor:
        """Both velocities."""
        return velocities(psi)

    def reference(self) -> Reference:
        """The exact solution."""
        points_ND, grid = grid_of(self.bounds, (11, 33, 33))
        t_N, x_N, y_N = points_ND.unbind(1)
        right, up = self.stream
        decayed, x_N, y_N = torch.exp(-2 * self.constants["lambda_2"] * t_N), x_N - right * t_N, y_N - up * t_N
        u_N, v_N = -torch.cos(x_N) * torch.sin(y_N), torch.sin(x_N) * torch.cos(y_N)
        return Reference(points_ND, torch.stack([right + decayed * u_N, up + decayed * v_N], 1), 1e-15, grid)
