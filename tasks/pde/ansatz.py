"""Structure that a solution is known to have, built into the net: conditions and symmetries hold exactly."""

from typing import Any, Literal

import torch
from torch import nn

from tasks.pde.problem import Coordinates, Problem
from zoo.derivatives import Jet
from zoo.errors import InputError

Symmetry = Literal["odd", "even"]


class Ansatz(nn.Module):
    """u(x) = offset(x) + factor(x) N(x), with N made odd or even about the middle of a coordinate.

    N is made odd by N(x) - N(x mirrored), even by the sum: the net is evaluated at both, in exchange for points that
    are drawn from half of the domain.

    Args:
        net: [N, D] -> [N, K].
        problem: gives offset, factor and domain.
        hard_conditions: use offset and factor; without them the net alone is the solution.
        symmetry: letter of a coordinate -> "odd" or "even".

    Raises:
        InputError: a letter that is no coordinate.
    """

    def __init__(self, net: nn.Module, problem: Problem, hard_conditions: bool, symmetry: dict[str, Symmetry]):
        super().__init__()
        unknown = set(symmetry) - set(problem.coordinates)
        if unknown:
            raise InputError(
                f"model.symmetry: expected letters among {', '.join(problem.coordinates)}, got {sorted(unknown)[0]}; "
                "mend the recipe"
            )
        self.net, self.problem, self.hard_conditions, self.symmetry = net, problem, hard_conditions, symmetry

    def forward(self, x: Jet) -> Jet:
        """The solution at the coordinates."""
        n = self._symmetric(x, list(self.symmetry.items()))
        if not self.hard_conditions:
            return n
        one = Coordinates(**{c: x[..., i : i + 1] for i, c in enumerate(self.problem.coordinates)})
        return n * self.problem.factor(one) + self.problem.offset(one)

    def _symmetric(self, x: Jet, left: list[tuple[str, Symmetry]]) -> Any:
        if not left:
            return self.net(x)
        (letter, kind), *rest = left
        column = self.problem.coordinates.index(letter)
        low, high = self.problem.bounds[letter]
        sign = torch.ones(len(self.problem.coordinates), dtype=x.dtype)
        sign[column] = -1
        shift = torch.zeros_like(sign)
        shift[column] = low + high
        mirrored = self._symmetric(x * sign + shift, rest)
        own = self._symmetric(x, rest)
        return own - mirrored if kind == "odd" else own + mirrored
