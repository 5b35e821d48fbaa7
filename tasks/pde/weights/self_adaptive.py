"""Self-adaptive weights: the net descends what the weights ascend."""

from typing import Any

import torch
from torch import Tensor

from tasks.pde.weights.rule import Terms, Weighting
from zoo.errors import InputError
from zoo.optim.clipping import positive


def ascended(lambdas: Tensor, squares: Tensor, rate: float, power: int) -> Tensor:
    """lambda + rate d/dlambda (lambda^power r^2).

    >>> ascended(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.0]), 0.1, 2).tolist()
    [1.100000023841858, 2.0]
    """
    return lambdas + rate * power * lambdas ** (power - 1) * squares


class SelfAdaptive(Weighting):
    """w = lambda^power, lambda from 1 upwards by rate d/dlambda (lambda^power r^2): what stays large weighs more.

    McClenny and Braga-Neto (2020), with plain ascent where the authors take Adam. A point's own lambda needs the point
    to come again: it begins at 1 whenever the points are drawn anew (`data.resample_every`).

    Args:
        rate: of the ascent; times the term, or N times a point's share of it.
        power: of the mask; above 1 the weights grow exponentially while a term is large.
        each: a lambda for every "term", or for every "point".
        every: steps from one look to the next, at the price of one evaluation of the residuals.

    Raises:
        InputError: a rate that is not positive, a power below 1, another word for `each`.
    """

    def __init__(self, rate: float = 1.0, power: int = 1, each: str = "term", every: int = 1):
        super().__init__(every)
        positive("SelfAdaptive.rate", rate)
        if power < 1 or each not in ("term", "point"):
            raise InputError(
                f"SelfAdaptive: expected power >= 1 and each of term or point, got {power} and {each}; mend the recipe"
            )
        self.rate, self.power, self.per_point = rate, power, each == "point"

    def begin(self, names: tuple[str, ...]) -> None:
        """See `Weighting`; the points are not known yet."""
        super().begin(names)
        self.register_buffer("lambdas", torch.ones(0 if self.per_point else len(names), dtype=torch.float64))
        self.register_buffer("seen", torch.zeros(0, dtype=torch.float64))  # the points that the lambdas belong to
        self._sizes: dict[str, int] = {}

    def update(self, step: int, terms: Terms, points: dict[str, Tensor]) -> None:
        """See `Weighting`; points drawn anew begin at one."""
        if self.per_point:
            self._begin_anew_where_points_are_new(points)
        super().update(step, terms, points)

    def weights(self, step: int, terms: Terms) -> Tensor:
        """See `Weighting`."""
        if not self.per_point:
            self.lambdas = ascended(self.lambdas, terms.losses(), self.rate, self.power)
            return self.lambdas**self.power
        # A row carries 1 / sqrt(N).
        squares = torch.cat([len(squares_N) * squares_N for squares_N in terms.squares().values()]).double()
        self.lambdas = ascended(self.lambdas, squares, self.rate, self.power)
        return torch.stack([self.factor(name).mean() for name in self.names])

    def factor(self, name: str) -> Tensor:
        """See `Weighting`."""
        if not self.per_point:
            return super().factor(name)
        parts = self.lambdas.split([self._sizes[one] for one in self.names])
        return (parts[self.names.index(name)] ** self.power)[:, None]

    def _begin_anew_where_points_are_new(self, points: dict[str, Tensor]) -> None:
        self._sizes = {name: len(points[name]) for name in self.names}
        now = torch.cat([points[name].double().flatten() for name in self.names])
        if not now.equal(self.seen):
            self.seen = now
            self.lambdas = torch.ones(sum(self._sizes.values()), dtype=torch.float64, device=now.device)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        # How many points there are is known by the checkpoint alone.
        for name in ("lambdas", "seen"):
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name]))
        super()._load_from_state_dict(state_dict, prefix, *args)
