"""What a rule that weighs loss terms is, and what it may look at.

Legend: T = terms, N = points of a term, E = equations, P = trained parameters.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo.derivatives import residual_jacobian
from zoo.errors import InputError


@dataclass(frozen=True)
class Terms:
    """The terms of a loss at the parameters as they are; each figure is computed when a rule asks for it.

    Args:
        rows: name -> rows [N, E], whose sum of squares is the term before any weight.
        parameters: those that are trained.
    """

    rows: dict[str, Callable[[], Tensor]]
    parameters: Sequence[Tensor]

    def squares(self) -> dict[str, Tensor]:
        """Name -> [N], the squared rows of every point."""
        with torch.no_grad():
            return {name: rows().square().sum(1) for name, rows in self.rows.items()}

    def losses(self) -> Tensor:
        """[T]."""
        return torch.stack([squares_N.sum() for squares_N in self.squares().values()]).double()

    def gradients(self) -> Tensor:
        """[T, P]: dL_i/dtheta of every term."""
        return torch.stack([self._gradient(rows) for rows in self.rows.values()]).double()

    def traces(self) -> Tensor:
        """[T]: trace of every term's neural tangent kernel J J', J from single points."""
        jacobians = (residual_jacobian(rows, self.parameters)[1] for rows in self.rows.values())
        return torch.stack([jacobian_RP.square().sum() for jacobian_RP in jacobians]).double()

    def _gradient(self, rows: Callable[[], Tensor]) -> Tensor:
        with torch.enable_grad():
            loss = rows().square().sum()
        found = torch.autograd.grad(loss, self.parameters, allow_unused=True, materialize_grads=True)
        return torch.cat([gradient.flatten() for gradient in found])


class Weighting(nn.Module, ABC):
    """Weights of the terms, looked at anew every so many steps and constant in between and within a step.

    What a rule remembers are buffers, so that a checkpoint holds it. Rules look at the terms without `model.weights`,
    which multiply what a rule finds.

    Args:
        every: steps from one look to the next.

    Raises:
        InputError: `every` below 1.
    """

    gradients_only = False  # whether the weights mean nothing to a least-squares or quasi-Newton step
    per_point = False  # whether a point has a weight of its own

    def __init__(self, every: int = 1):
        super().__init__()
        if every < 1:
            raise InputError(f"{type(self).__name__}.every: expected 1 step or more, got {every}; mend the recipe")
        self.every = every
        self.names: tuple[str, ...] = ()

    def begin(self, names: tuple[str, ...]) -> None:
        """Take the terms' names; all weights are one."""
        self.names = names
        self.register_buffer("weights_T", torch.ones(len(names), dtype=torch.float64))

    def update(self, step: int, terms: Terms, points: dict[str, Tensor]) -> None:
        """Look at the terms, if this is the step for it; `points` [N, D] by the terms' names."""
        if step % self.every == 0:
            self.weights_T = self.weights(step, terms).to(self.weights_T)

    @abstractmethod
    def weights(self, step: int, terms: Terms) -> Tensor:
        """[T]: the new weights."""

    def factor(self, name: str) -> Tensor:
        """What multiplies the squared rows of a term: a scalar, or [N, 1]."""
        return self.weights_T[self.names.index(name)]

    def readings(self) -> dict[str, Tensor]:
        """Name of a term -> its weight, a point's on average."""
        return dict(zip(self.names, self.weights_T, strict=True))


def fraction(name: str, value: float) -> float:
    """`value`, if it is in [0, 1].

    Raises:
        InputError: it is not.
    """
    if not 0 <= value <= 1:
        raise InputError(f"{name}: expected a number from 0 to 1, got {value}; mend the recipe")
    return value
