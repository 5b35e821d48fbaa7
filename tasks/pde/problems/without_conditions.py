"""Any problem, known from its equation and from measurements alone."""

from typing import Any

from torch import Tensor

from tasks.pde.problem import Problem, Reference


class WithoutConditions(Problem):
    """A problem whose initial and boundary conditions are not known: nothing is built in, none is trained.

    Args:
        problem: gives everything else.
    """

    observables: tuple[str, ...] = ()

    def __init__(self, problem: Problem):
        self.known = problem
        self.bounds, self.crowd, self.geometry = problem.bounds, problem.crowd, problem.geometry
        self.fields, self.observables, self.constants = problem.fields, problem.observables, problem.constants

    def equation(self, *fields_points_and_constants: Any, **constants: Any) -> Tensor:
        """The problem's own."""
        return self.known.equation(*fields_points_and_constants, **constants)

    def observed(self, *fields_and_points: Any) -> Tensor:
        """As the problem does."""
        return self.known.observed(*fields_and_points)

    def reference(self) -> Reference:
        """The problem's own."""
        return self.known.reference()
