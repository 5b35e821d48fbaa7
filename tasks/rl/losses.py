"""Losses of policy gradients; each is a mean over N samples whose gradient is an estimate of -dJ/dtheta."""

import torch
from torch import Tensor


def policy_gradient_loss(log_probs_N: Tensor, advantages_N: Tensor) -> Tensor:
    """-mean(log pi(a) A): its gradient is the score-function estimate (Williams 1992)."""
    return -(log_probs_N * advantages_N).mean()


def clipped_surrogate_loss(log_ratio_N: Tensor, advantages_N: Tensor, clip: float) -> Tensor:
    """-mean(min(rho A, clip(rho, 1 - clip, 1 + clip) A)), rho = pi / pi_old (Schulman et al. 2017).

    >>> clipped_surrogate_loss(torch.tensor([1.0]), torch.tensor([1.0]), 0.2)
    tensor(-1.2000)
    """
    ratio_N = log_ratio_N.exp()
    return -torch.minimum(ratio_N * advantages_N, ratio_N.clamp(1 - clip, 1 + clip) * advantages_N).mean()


def surrogate_loss(log_ratio_N: Tensor, advantages_N: Tensor) -> Tensor:
    """-mean(rho A): the importance-sampled objective of natural gradients and TRPO."""
    return -(log_ratio_N.exp() * advantages_N).mean()


def value_loss(values_N: Tensor, targets_N: Tensor) -> Tensor:
    """mean (V - target)^2 / 2."""
    return 0.5 * (values_N - targets_N).square().mean()


def approximate_kl(log_ratio_N: Tensor) -> Tensor:
    """mean(rho - 1 - log rho), an unbiased estimate of KL(pi_old || pi) that is never negative (Schulman 2020)."""
    return (log_ratio_N.exp() - 1 - log_ratio_N).mean()
