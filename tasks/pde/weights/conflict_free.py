"""Weights whose sum of gradients ascends no term, by the library torchjd."""

import torch
from torch import Tensor, nn

from tasks.pde.weights.rule import Terms, Weighting
from zoo.errors import InputError


def combining_weights(gradients_TP: Tensor, aggregator: nn.Module) -> Tensor:
    """[T]: the w with sum_i w_i g_i = aggregator(g).

    Raises:
        InputError: the aggregator's direction is no such sum.
    """
    if not bool(gradients_TP.isfinite().all()):  # the monitor ends the run with its one line
        return gradients_TP.new_ones(len(gradients_TP))
    direction_P = aggregator(gradients_TP)
    weights_T = torch.linalg.pinv(gradients_TP.t()) @ direction_P
    if (weights_T @ gradients_TP - direction_P).norm() > 1e-6 * direction_P.norm():
        raise InputError(
            "ConflictFree.aggregator: expected one that combines whole gradients, such as torchjd.aggregation.UPGrad, "
            f"got {type(aggregator).__name__}; mend the recipe"
        )
    return weights_T


class ConflictFree(Weighting):
    """The gradient that the optimiser gets is aggregator(g_1, ..., g_T), which has no negative product with any g_i.

    UPGrad: Quinton and Rey (2024); ConFIG: Liu, Chu and Thuerey (2024). The direction is a sum of the terms'
    gradients; its weights, found once a step, weigh the loss.

    Args:
        aggregator: of `torchjd.aggregation`; UPGrad by default.

    Raises:
        InputError: torchjd is not there.
    """

    gradients_only = True

    def __init__(self, aggregator: nn.Module | None = None):
        super().__init__(every=1)
        self.aggregator = aggregator if aggregator is not None else upgrad()

    def weights(self, step: int, terms: Terms) -> Tensor:
        """See `Weighting`."""
        return combining_weights(terms.gradients(), self.aggregator)


def upgrad() -> nn.Module:
    """torchjd's UPGrad.

    Raises:
        InputError: torchjd or its quadratic programme is not there.
    """
    try:
        from torchjd.aggregation import UPGrad

        return UPGrad()
    except ImportError as error:
        raise InputError(
            "ConflictFree: expected the library torchjd with quadprog, which is not installed; "
            "pip install 'gradient-zoo[pde]'"
        ) from error
