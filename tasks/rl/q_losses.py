"""Targets and errors of Q-learning, as pure functions.

Legend: N = transitions, A = actions, K = steps of an n-step return, Z = atoms of a return distribution.
`discount_N` is gamma^n x (not terminated), so that a truncated episode bootstraps and a terminated one does not.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def n_step_returns(
    rewards_NK: np.ndarray, discount_NK: np.ndarray, continues_NK: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rewards, discount, steps) [N] of K steps, fewer where the episode ends among them.

    G = sum_k (prod_{j<k} discount_j) r_k over the steps up to the end; V stands `steps` later, times the discount.

    >>> one = np.ones((1, 3), np.float32)
    >>> [float(x[0]) for x in n_step_returns(one, 0.5 * one, np.array([[True, True, True]]))]
    [1.75, 0.125, 3.0]
    >>> [float(x[0]) for x in n_step_returns(one, 0.5 * one, np.array([[True, False, True]]))]
    [1.5, 0.25, 2.0]
    """
    returns_N, product_N = rewards_NK[:, 0].copy(), discount_NK[:, 0].copy()
    going_N = np.ones(len(returns_N), bool)
    steps_N = np.ones(len(returns_N), np.int64)
    for k in range(1, rewards_NK.shape[1]):
        going_N = going_N & continues_NK[:, k - 1]
        returns_N += going_N * product_N * rewards_NK[:, k]
        product_N *= np.where(going_N, discount_NK[:, k], np.float32(1))
        steps_N += going_N
    return returns_N, product_N, steps_N


def td_targets(rewards_N: Tensor, discount_N: Tensor, next_values_N: Tensor) -> Tensor:
    """r + discount V(next)."""
    return torch.addcmul(rewards_N, discount_N, next_values_N)


def chosen(values_NA: Tensor, actions_N: Tensor) -> Tensor:
    """The value of each row's action: [N, A] -> [N], [N, A, Z] -> [N, Z]."""
    index = actions_N.view(-1, *[1] * (values_NA.dim() - 1)).expand(-1, 1, *values_NA.shape[2:])
    return values_NA.gather(1, index)[:, 0]


def next_values(target_q_NA: Tensor, selecting_q_NA: Tensor) -> Tensor:
    """Q_target(next, argmax_a Q_selecting(next, a)), [N].

    The target net selects in Mnih et al. (2015): max_a Q_target. The trained net does in double Q-learning (van
    Hasselt, Guez and Silver 2016).
    """
    return chosen(target_q_NA, selecting_q_NA.argmax(1))


def huber(errors_N: Tensor, delta: float | None = 1.0) -> Tensor:
    """e^2 / 2 within delta, delta (|e| - delta / 2) outside: Mnih et al.'s (2015) clipped error; None for e^2 / 2.

    >>> huber(torch.tensor([0.5, -3.0]))
    tensor([0.1250, 2.5000])
    """
    if delta is None:
        return 0.5 * errors_N.square()
    return F.huber_loss(errors_N, torch.zeros_like(errors_N), reduction="none", delta=delta)


def projected(rewards_N: Tensor, discount_N: Tensor, probs_NZ: Tensor, support_Z: Tensor) -> Tensor:
    """The distribution of r + discount z, z ~ probs, on the atoms of the support, [N, Z].

    An atom's mass goes to its two neighbours in proportion to nearness (Bellemare, Dabney and Munos 2017, eq. 7).

    >>> support = torch.tensor([0.0, 1.0, 2.0])
    >>> projected(torch.tensor([0.25]), torch.tensor([1.0]), torch.tensor([[0.0, 1.0, 0.0]]), support)
    tensor([[0.0000, 0.7500, 0.2500]])
    """
    spacing = support_Z[1] - support_Z[0]
    moved_NZ = (rewards_N[:, None] + discount_N[:, None] * support_Z).clamp(support_Z[0], support_Z[-1])
    shares_NZZ = (1 - (moved_NZ[:, None, :] - support_Z[:, None]).abs() / spacing).clamp_min(0)  # [to, from]
    return (shares_NZZ @ probs_NZ[:, :, None])[:, :, 0]


def cross_entropy(log_probs_NZ: Tensor, targets_NZ: Tensor) -> Tensor:
    """-sum_z target log p, [N]."""
    return -(targets_NZ * log_probs_NZ).sum(1)


def quadratic_advantage(actions_NA: Tensor, best_NA: Tensor, factor_NAA: Tensor) -> Tensor:
    """-1/2 (a - mu)' L L' (a - mu), [N]: at most zero, and zero at mu alone (Gu et al. 2016)."""
    scaled_NA = (factor_NAA.mT @ (actions_NA - best_NA)[:, :, None])[:, :, 0]
    return -0.5 * scaled_NA.square().sum(1)
