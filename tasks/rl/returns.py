"""Returns and advantages of a rollout.

Legend: T = steps, B = environments. discount = gamma x (not terminated); continues = 1 where the next observation is of
the same episode. A truncated episode has a discount and does not continue: it bootstraps from its last observation.
"""

import torch
from torch import Tensor


def discounted_returns(rewards_TB: Tensor, discount_TB: Tensor, continues_TB: Tensor, values_TB: Tensor) -> Tensor:
    """G_t = r_t + discount_t (continues_t G_{t+1} + (1 - continues_t) V_{t+1}), [T, B].

    Args:
        values_TB: V of the T + 1 observations.

    >>> one = torch.ones(2, 1)
    >>> discounted_returns(one, 0.5 * one, one, torch.zeros(3, 1))[:, 0]
    tensor([1.5000, 1.0000])
    """
    next_value_TB = values_TB[1:]
    carry_B, returns_TB = values_TB[-1], torch.empty_like(rewards_TB)
    for t in range(len(rewards_TB) - 1, -1, -1):
        after_B = torch.where(continues_TB[t] > 0, carry_B, next_value_TB[t])
        carry_B = rewards_TB[t] + discount_TB[t] * after_B
        returns_TB[t] = carry_B
    return returns_TB


def advantages(
    rewards_TB: Tensor, discount_TB: Tensor, continues_TB: Tensor, values_TB: Tensor, gae_lambda: float
) -> Tensor:
    """Generalised advantage estimates (Schulman et al. 2015), [T, B].

    delta_t = r_t + discount_t V_{t+1} - V_t;  A_t = delta_t + discount_t lambda continues_t A_{t+1}

    Args:
        values_TB: V of the T + 1 observations.

    >>> one = torch.ones(2, 1)
    >>> advantages(one, 0.5 * one, one, torch.zeros(3, 1), 1.0)[:, 0]
    tensor([1.5000, 1.0000])
    """
    delta_TB = rewards_TB + discount_TB * values_TB[1:] - values_TB[:-1]
    decay_TB = gae_lambda * discount_TB * continues_TB
    advantages_TB = torch.empty_like(delta_TB)
    carry_B = torch.zeros_like(delta_TB[0])
    for carry_to, delta_B, decay_B in zip(
        reversed(advantages_TB.unbind()), reversed(delta_TB.unbind()), reversed(decay_TB.unbind()), strict=True
    ):
        carry_B = torch.addcmul(delta_B, decay_B, carry_B)
        carry_to.copy_(carry_B)
    return advantages_TB


def explained_variance(values_N: Tensor, targets_N: Tensor) -> Tensor:
    """1 - Var(target - value) / Var(target): 1 for a perfect value, 0 for a constant one, below 0 for a harmful one.

    >>> explained_variance(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]))
    tensor(1.)
    """
    return 1 - (targets_N - values_N).var() / targets_N.var().clamp_min(1e-12)
