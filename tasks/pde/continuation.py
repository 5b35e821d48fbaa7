"""Continuation: an easy problem first, which becomes the wanted one step by step."""

from dataclasses import dataclass

from tasks.pde.problem import Problem
from zoo.errors import InputError


@dataclass(frozen=True)
class Continuation:
    """A constant of the equation goes from `start` to its own value over the first steps, by equal factors.

    A viscosity that falls, so that a flow is found from the slower one before it. Krishnapriyan et al. (2021) call it
    curriculum regularisation. It acts on training alone: what is judged is judged with the constant's own value.

    Args:
        constant: its name.
        start: its value at the first step, of the same sign.
        steps: until it has its own.

    Raises:
        InputError: fewer steps than 1.
    """

    constant: str
    start: float
    steps: int

    def __post_init__(self):
        if self.steps < 1:
            raise InputError(f"model.continuation.steps: expected 1 or more, got {self.steps}; mend the recipe")

    def check(self, problem: Problem, unknown: dict[str, float]) -> None:
        """Refuse a problem that it does not fit.

        Raises:
            InputError: no such constant, one that is sought, or one that `start` does not lead to.
        """
        known = [name for name in problem.constants if name not in unknown]
        if self.constant not in known:
            raise InputError(
                f"model.continuation.constant: expected one of {', '.join(known) or 'none'}, got {self.constant}; "
                "mend the recipe"
            )
        if not self.start * problem.constants[self.constant] > 0:
            raise InputError(
                f"model.continuation.start: expected a number of the sign of {problem.constants[self.constant]}, got "
                f"{self.start}; mend the recipe"
            )

    def value(self, own: float, step: int) -> float:
        """At a step.

        >>> Continuation("nu", 8.0, 3).value(1.0, 1)
        4.0
        """
        return own * (self.start / own) ** max(0.0, 1 - step / self.steps)
