"""Causal weights: a time is learnt once the times before it are."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.errors import InputError


def slab_losses(squares_N: Tensor, slab_N: Tensor, slabs: int) -> Tensor:
    """[slabs]: mean of the squares in every slab, 0 in an empty one.

    >>> slab_losses(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 0, 2]), 3).tolist()
    [2.0, 0.0, 5.0]
    """
    count = torch.bincount(slab_N, minlength=slabs).clamp(min=1)
    return torch.bincount(slab_N, squares_N, minlength=slabs) / count


def causal_weights(losses_M: Tensor, epsilon: float) -> Tensor:
    """[M]: w_i = exp(-epsilon sum_{k<i} L_k).

    >>> causal_weights(torch.tensor([1.0, 2.0, 4.0]), 0.0).tolist()
    [1.0, 1.0, 1.0]
    """
    before_M = torch.cumsum(losses_M, 0) - losses_M
    return torch.exp(-epsilon * before_M)


class Causal(nn.Module):
    """Weights of the equation's points by slabs of time; epsilon grows once the last slab is learnt.

    Wang, Sankaran and Perdikaris (2022, 2024), eq. 14 and algorithm 1. The losses of the slabs are those of the
    residuals as they are at the start of a step; the weights are constant within it.

    Args:
        slabs: of equal length.
        epsilons: ascending; the next one is taken when the smallest weight exceeds `threshold`.
        threshold: delta of the paper.

    Raises:
        InputError: fewer than 2 slabs, epsilons that do not ascend from above 0.
    """

    def __init__(
        self, slabs: int = 16, epsilons: Sequence[float] = (1e-2, 1e-1, 1.0, 10.0, 100.0), threshold: float = 0.99
    ):
        super().__init__()
        ascending = all(a < b for a, b in zip([0.0, *epsilons], epsilons, strict=False))
        if slabs < 2 or not epsilons or not ascending or not 0 < threshold < 1:
            raise InputError(
                "Causal: expected 2 slabs or more, ascending epsilons above 0 and a threshold between 0 and 1, got "
                f"{slabs}, {list(epsilons)} and {threshold}; mend the recipe"
            )
        self.slabs, self.epsilons, self.threshold = slabs, tuple(epsilons), threshold
        self.register_buffer("stage", torch.zeros((), dtype=torch.int64))

    @property
    def epsilon(self) -> float:
        """The present one."""
        return self.epsilons[int(self.stage)]

    def weights(self, times_N: Tensor, squares_N: Tensor, low: float, high: float) -> Tensor:
        """[N, 1]: every point's weight; the stage moves for the next step where all of it is learnt.

        Args:
            times_N: of the points, between low and high.
            squares_N: their squared residuals.
            low: where time begins.
            high: where it ends.
        """
        slab_N = ((times_N - low) / (high - low) * self.slabs).long().clamp(0, self.slabs - 1)
        weights_M = causal_weights(slab_losses(squares_N, slab_N, self.slabs), self.epsilon)
        if float(weights_M.min()) > self.threshold and int(self.stage) + 1 < len(self.epsilons):
            self.stage += 1
        return weights_M[slab_N][:, None]
