"""The wake of a cylinder, known from measured velocities. Raissi, Perdikaris and Karniadakis (2019), section 4.2."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.flow import velocities, vorticity_transport
from tasks.pde.measurements import FromFile
from tasks.pde.problem import Problem, Reference
from zoo.errors import InputError


class CylinderWake(Problem):
    """w_t + lambda_1 (u w_x + v w_y) = lambda_2 lap w on t in [0, end], x in [1, 8], y in [-2, 2], Re = 100.

    No conditions and no pressure: velocities of a stream function alone. What is found is compared with the velocities
    of a file and with lambda_1 = 1, lambda_2 = 0.01, by which they were computed. The file says nothing of its own
    error, so none is claimed.

    Args:
        path: as `data_scripts/cylinder_wake.py` writes it.
        rows: of the file, drawn at random, that are the reference; measurements are taken from them.
        end: of the time.

    Raises:
        InputError: there is no such file; it is not read, or its rows lie outside the domain.
    """

    fields = ("psi",)
    observables = ("u", "v")

    def __init__(self, path: str = "data/cylinder_wake/wake.npz", rows: int = 20000, end: float = 20.0):
        if rows < 1 or end <= 0:
            raise InputError(
                f"model.problem: expected rows of 1 or more and an end above 0, got {rows} and {end}; mend the recipe"
            )
        self.bounds = {"t": (0.0, end), "x": (1.0, 8.0), "y": (-2.0, 2.0)}
        self.constants, self.path, self.rows = {"lambda_1": 1.0, "lambda_2": 0.01}, path, rows

    def equation(self, psi: Field, points: Coordinates, lambda_1: Any, lambda_2: Any) -> Tensor:
        """See `Problem`."""
        return vorticity_transport(psi, lambda_2, unsteady=True, convection=lambda_1)

    def observed(self, psi: Field, points: Coordinates) -> Tensor:
        """Both velocities."""
        return velocities(psi)

    def reference(self) -> Reference:
        """Rows of the file."""
        if not Path(self.path).is_file():
            raise InputError(
                f"{self.path}: expected the cylinder's wake, got no such file; python data_scripts/cylinder_wake.py "
                "--from DIR makes it"
            )
        found = FromFile(self.path).read(self, self.reference)
        drawn = torch.randperm(len(found.points_ND), generator=torch.Generator().manual_seed(0))[: self.rows]
        return Reference(found.points_ND[drawn], found.values_NK[drawn], 0.0)
