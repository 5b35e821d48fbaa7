"""Burgers' equation whose constants are to be found. Raissi, Perdikaris and Karniadakis (2017, part II)."""

from typing import Any

from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Problem, Reference
from tasks.pde.problems.burgers import Burgers


class InverseBurgers(Problem):
    """u_t + lambda_1 u u_x = lambda_2 u_xx on t in [0, 1], x in [-1, 1], known from measurements alone: no conditions.

    The truth is lambda_1 = 1, lambda_2 = 0.01 / pi, as in `Burgers`.
    """

    bounds = Burgers.bounds
    crowd = Burgers.crowd

    def __init__(self):
        self.forward = Burgers()
        self.constants = {"lambda_1": 1.0, "lambda_2": self.forward.constants["nu"]}

    def equation(self, u: Field, points: Coordinates, lambda_1: Any, lambda_2: Any) -> Tensor:
        """See `Problem`."""
        return u.t + lambda_1 * u.value * u.x - lambda_2 * u.xx

    def reference(self) -> Reference:
        """That of `Burgers`."""
        return self.forward.reference()
