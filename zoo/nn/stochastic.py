"""Stochastic binary neurons and three estimators of the gradient through them. Bengio, Leonard, Courville (2013).

Legend: z = logits, p = sigmoid(z), h ~ Bernoulli(p) in {0, 1}.
"""

import torch
from torch import Tensor, nn
from torch.distributions import RelaxedBernoulli

from zoo.errors import InputError


class StraightThrough(nn.Module):
    """h forward; backward as if h were p (`slope=True`, dh/dz = p (1 - p)) or z (dh/dz = 1, the paper's simplest).

    Biased, low variance. In eval mode it gives the expectation p.
    """

    is_activation = True

    def __init__(self, slope: bool = True):
        super().__init__()
        self.slope = slope

    def forward(self, z: Tensor) -> Tensor:
        """Logits of any shape -> zeros and ones of that shape (probabilities in eval mode)."""
        p = torch.sigmoid(z)
        if not self.training:
            return p
        path = p if self.slope else z
        return torch.bernoulli(p.detach()) + path - path.detach()


class GumbelBinary(nn.Module):
    """Concrete relaxation: sigmoid((z + logistic noise) / temperature). Maddison et al., Jang et al. (2017).

    Unbiased for the relaxed neuron, which becomes the binary one as the temperature goes to 0. `hard=True` rounds
    forward and keeps the relaxed gradient. In eval mode it gives p.
    """

    is_activation = True

    def __init__(self, temperature: float = 0.5, hard: bool = True):
        super().__init__()
        if not temperature > 0:
            raise InputError(f"GumbelBinary.temperature: expected a number above 0, got {temperature}; 0.5 is usual")
        self.temperature, self.hard = temperature, hard

    def forward(self, z: Tensor) -> Tensor:
        """Logits of any shape -> that shape."""
        if not self.training:
            return torch.sigmoid(z)
        relaxed = RelaxedBernoulli(z.new_tensor(self.temperature), logits=z).rsample()
        return (relaxed > 0.5).to(relaxed) + relaxed - relaxed.detach() if self.hard else relaxed


def sample_binary(z: Tensor) -> tuple[Tensor, Tensor]:
    """h ~ Bernoulli(sigmoid(z)) and its log probability, summed over all but the first dimension.

    Args:
        z: logits [N, ...].

    Returns:
        Samples [N, ...] without a gradient, and log p(h) [N] with one.
    """
    h = torch.bernoulli(torch.sigmoid(z.detach()))
    log_prob = -nn.functional.binary_cross_entropy_with_logits(z, h, reduction="none")
    return h, log_prob.flatten(1).sum(1)


def reinforce_loss(log_probs_N: Tensor, losses_N: Tensor, baseline: Tensor | float | None = None) -> Tensor:
    """A scalar whose gradient is the unbiased estimate of dE[loss]/dz: mean of (loss - baseline) log p(h).

    Args:
        log_probs_N: from `sample_binary`.
        losses_N: loss of each example under its sample.
        baseline: what is subtracted to lower the variance; by default the mean of the other examples, which keeps
            the estimate unbiased (0 for a single example).

    Raises:
        InputError: the shapes differ.
    """
    if log_probs_N.shape != losses_N.shape or log_probs_N.dim() != 1:
        raise InputError(
            "reinforce_loss: expected two vectors of one length, got "
            f"{tuple(log_probs_N.shape)} and {tuple(losses_N.shape)}; give one loss an example"
        )
    losses_N = losses_N.detach()
    if baseline is None:
        others = max(1, len(losses_N) - 1)
        baseline = (losses_N.sum() - losses_N) / others if len(losses_N) > 1 else 0.0
    return ((losses_N - baseline) * log_probs_N).mean()
