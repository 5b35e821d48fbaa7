"""Weights by the neural tangent kernel: every term is to be learnt at the same rate."""

import torch
from torch import Tensor

from tasks.pde.weights.rule import Terms, Weighting, fraction


def rate_weights(traces_T: Tensor) -> Tensor:
    """w_i = sum_j tr K_j / tr K_i; 1 for a term that no parameter acts on.

    >>> rate_weights(torch.tensor([1.0, 3.0])).tolist()
    [4.0, 1.3333333730697632]
    """
    return torch.where(traces_T > 0, traces_T.sum() / traces_T.clamp(min=torch.finfo(traces_T.dtype).tiny), 1.0)


class NTK(Weighting):
    """w_i = tr K / tr K_i, K_i = J_i J_i' with J_i the Jacobian of a term's rows, single points and all.

    Wang, Yu and Perdikaris (2022), algorithm 1. The rows carry 1 / sqrt(N), so that a trace is the mean of the
    kernel's diagonal and terms of unequal numbers of points compare.

    Args:
        every: steps from one look to the next, at the price of one residual Jacobian.
        momentum: share of the old weights that stays; the paper keeps none.
    """

    def __init__(self, every: int = 100, momentum: float = 0.0):
        super().__init__(every)
        self.momentum = fraction("NTK.momentum", momentum)

    def weights(self, step: int, terms: Terms) -> Tensor:
        """See `Weighting`."""
        return self.momentum * self.weights_T + (1 - self.momentum) * rate_weights(terms.traces())
