"""Which observation moves the action or the value: input gradients along an episode.

Legend: T = steps, D = numbers of an observation, K = numbers that describe an action.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from zoo.attribution import gradient


def action_slopes(scores: Callable[[Tensor, Tensor], Tensor], obs_T: Tensor, actions_T: Tensor) -> Tensor:
    """d score_k / d observation, [T, K, ...]; the score of a step depends on its own observation alone.

    >>> weights = torch.tensor([[1.0], [2.0]])
    >>> action_slopes(lambda obs, actions: obs @ weights, torch.zeros(1, 2), torch.zeros(1)).tolist()
    [[[1.0, 2.0]]]
    """
    obs_T = obs_T if obs_T.is_floating_point() else obs_T.to(torch.get_default_dtype())  # frames come as bytes
    with torch.no_grad():
        count = scores(obs_T[:1], actions_T[:1]).shape[1]
    return torch.stack([gradient(lambda o, k=k: scores(o, actions_T)[:, k], obs_T) for k in range(count)], 1)


def value_slopes(value: Callable[[Tensor], Tensor], obs_T: Tensor) -> Tensor:
    """dV / d observation, [T, ...]."""
    return gradient(value, obs_T if obs_T.is_floating_point() else obs_T.to(torch.get_default_dtype()))


def per_deviation(slopes: Tensor, visited_ND: Tensor) -> Tensor:
    """Slopes times each observation's standard deviation among those visited: numbers in unlike units compare so.

    >>> per_deviation(torch.ones(1, 2), torch.tensor([[0.0, 5.0], [2.0, 5.0]])).tolist()
    [[1.0, 0.0]]
    """
    return slopes * visited_ND.std(0, correction=0)


def shares(moves_TD: Tensor) -> Tensor:
    """Each observation's share of the mean |move| over the episode, [D]; they add up to 1 where anything moves."""
    mean_D = moves_TD.abs().mean(0)
    return mean_D / mean_D.sum().clamp_min(1e-30)
