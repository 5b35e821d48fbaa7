"""What problems share that are known from their start alone."""

from typing import Any

from tasks.pde.fields import Coordinates
from tasks.pde.problem import Condition, Problem


class InitialValue(Problem):
    """A problem of one field that is `offset` at t = 0 and has no other condition.

    A period is no condition at a point: it is built in by `model.periodic`.
    """

    def factor(self, x: Coordinates) -> Any:
        """Zero at the start."""
        return x.t

    def conditions(self) -> dict[str, Condition]:
        """The start."""
        return {"initial": Condition(lambda u, points, **_: u.value - self.offset(points), {"t": 0.0})}
