"""Weights that give the gradients of all terms the same norm."""

import torch
from torch import Tensor

from tasks.pde.weights.rule import Terms, Weighting, fraction


def equalising_weights(gradients_TP: Tensor) -> Tensor:
    """w_i = sum_j |g_j| / |g_i|, so that every w_i |g_i| is the same; 1 for a term without gradient.

    >>> equalising_weights(torch.tensor([[3.0, 4.0], [0.0, 1.0]])).tolist()
    [1.2000000476837158, 6.0]
    """
    norms_T = gradients_TP.norm(dim=1)
    return torch.where(norms_T > 0, norms_T.sum() / norms_T.clamp(min=torch.finfo(norms_T.dtype).tiny), 1.0)


class GradientNorms(Weighting):
    """w <- momentum w + (1 - momentum) sum_j |g_j| / |g_i|.

    Wang, Teng and Perdikaris (2021), in the form of Wang, Sankaran, Wang and Perdikaris (2023), eq. 5.2: norms in
    place of the largest and the mean entry, and no term is the measure of the others.

    Args:
        every: steps from one look to the next.
        momentum: share of the old weights that stays.
    """

    def __init__(self, every: int = 100, momentum: float = 0.9):
        super().__init__(every)
        self.momentum = fraction("GradientNorms.momentum", momentum)

    def weights(self, step: int, terms: Terms) -> Tensor:
        """See `Weighting`."""
        return self.momentum * self.weights_T + (1 - self.momentum) * equalising_weights(terms.gradients())
