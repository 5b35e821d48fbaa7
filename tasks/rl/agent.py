"""What playing and explaining need to know of a trained net, whatever taught it.

Legend: N = observations, T = observations of one episode in their order, K = numbers that describe one action.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.rl.distributions import Categorical, DiagonalGaussian, MultiCategorical
from tasks.rl.memory import FromMemory
from tasks.rl.networks.recurrent import Sequences


@dataclass(frozen=True)
class Agent:
    """An agent, as functions of observations [N, ...].

    Attributes:
        act: its greedy actions [N, ...].
        scores: (observations, actions) -> differentiable numbers [N, K] that say why these actions: log-probabilities
            or advantages of the actions, or the action itself where it is continuous.
        score_names: K names of them.
        sample: actions drawn as in training; None where the agent has no other than greedy ones.
        value: expected discounted return [N]; None where it has no critic.
        remembers: answers depend on what came before: `act` and `sample` then take one episode's observations one by
            one, and `scores` and `value` take them all, in their order from the first one.
    """

    act: Callable[[Tensor], Tensor]
    scores: Callable[[Tensor, Tensor], Tensor]
    score_names: tuple[str, ...]
    sample: Callable[[Tensor], Tensor] | None = None
    value: Callable[[Tensor], Tensor] | None = None
    remembers: bool = False


def agent_of_policy(net: nn.Module, continuous_size: int = 0) -> Agent:
    """The agent of a net with `policy(obs)` and, perhaps, `value(obs)`.

    Args:
        net: in eval mode.
        continuous_size: dimensions of a continuous action; 0 for choices.
    """
    return Agent(
        act=lambda obs: net.policy(obs).mode(),
        scores=lambda obs, actions: scores_of(net.policy(obs), actions),
        score_names=score_names(continuous_size),
        sample=lambda obs: net.policy(obs).sample(),
        value=getattr(net, "value", None),
    )


def agent_that_remembers(net: nn.Module, continuous_size: int = 0) -> Agent:
    """The agent of a recurrent net (`tasks.rl.networks.RecurrentActorCritic`); arguments as above."""
    return Agent(
        act=FromMemory(net, lambda policy: policy.mode()),
        scores=lambda obs, actions: scores_of(net.policy(whole_episode(net, obs)), actions),
        score_names=score_names(continuous_size),
        sample=FromMemory(net, lambda policy: policy.sample()),
        value=lambda obs: net.values(whole_episode(net, obs))[:, 0],
        remembers=True,
    )


def scores_of(policy: Categorical | MultiCategorical | DiagonalGaussian, actions_N: Tensor) -> Tensor:
    """log pi of choices, [N, 1]; a Gaussian's density has slope zero at its own mean, so its mean stands for it."""
    return policy.mean_NA if isinstance(policy, DiagonalGaussian) else policy.log_prob(actions_N)[:, None]


def score_names(continuous_size: int) -> tuple[str, ...]:
    """Names of those numbers."""
    return tuple(f"action {a}" for a in range(continuous_size)) or ("log-probability of the action taken",)


def whole_episode(net: nn.Module, obs_TD: Tensor) -> Sequences:
    """Observations of one episode from its first one, for a net that remembers."""
    return Sequences(obs_TD[:, None], torch.ones(len(obs_TD), 1, dtype=torch.bool), net.empty_memory(1))
