"""What playing and explaining need to know of a trained net, whatever taught it.

Legend: N = observations, K = numbers that describe one action.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.rl.distributions import DiagonalGaussian
from tasks.rl.memory import Memory, remembers
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
        begin: forgets what was seen; called before the first observation of every episode.
        remembers: answers depend on what came before: `act` and `sample` then take one episode's observations one by
            one, and `scores` and `value` take them all, in their order from the first one.
    """

    act: Callable[[Tensor], Tensor]
    scores: Callable[[Tensor, Tensor], Tensor]
    score_names: tuple[str, ...]
    sample: Callable[[Tensor], Tensor] | None = None
    value: Callable[[Tensor], Tensor] | None = None
    begin: Callable[[], None] = lambda: None
    remembers: bool = False


def agent_of_policy(net: nn.Module, continuous_size: int = 0) -> Agent:
    """The agent of a net with `policy(obs)` and, perhaps, `value(obs)`.

    A Gaussian's density has slope zero at its own mean, so a continuous action is explained by the mean itself.

    Args:
        net: in eval mode.
        continuous_size: dimensions of a continuous action; 0 for choices.
    """

    def scores(obs_N: Tensor, actions_N: Tensor) -> Tensor:
        policy = net.policy(whole_episode(net, obs_N) if remembers(net) else obs_N)
        return policy.mean_NA if isinstance(policy, DiagonalGaussian) else policy.log_prob(actions_N)[:, None]

    names = tuple(f"action {a}" for a in range(continuous_size)) or ("log-probability of the action taken",)
    if remembers(net):
        return _agent_that_remembers(net, scores, names)
    return Agent(
        act=lambda obs: net.policy(obs).mode(),
        scores=scores,
        score_names=names,
        sample=lambda obs: net.policy(obs).sample(),
        value=getattr(net, "value", None),
    )


def _agent_that_remembers(net: nn.Module, scores: Callable[[Tensor, Tensor], Tensor], names: tuple[str, ...]) -> Agent:
    memory = Memory(net, 1)

    def forget() -> None:
        memory.state_2BH = net.empty_memory(1)

    return Agent(
        act=lambda obs: memory.policy(obs).mode(),
        scores=scores,
        score_names=names,
        sample=lambda obs: memory.policy(obs).sample(),
        value=lambda obs: net.values(whole_episode(net, obs))[:, 0],
        begin=forget,
        remembers=True,
    )


def whole_episode(net: nn.Module, obs_TD: Tensor) -> Sequences:
    """Observations of one episode from its first one, for a net that remembers."""
    return Sequences(obs_TD[:, None], torch.ones(len(obs_TD), 1, dtype=torch.bool), net.empty_memory(1))
