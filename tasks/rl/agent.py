"""What playing and explaining need to know of a trained net, whatever taught it.

Legend: N = observations, K = numbers that describe one action.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from tasks.rl.distributions import DiagonalGaussian
from tasks.rl.memory import FromMemory
from zoo.errors import InputError


@dataclass(frozen=True)
class Agent:
    """An agent, as functions of observations [N, ...].

    Attributes:
        act: its greedy actions [N, ...].
        scores: (observations, actions) -> differentiable numbers [N, K] that say why these actions: log-probabilities
            or Q of the actions, or the action itself where it is continuous.
        score_names: K names of them.
        sample: actions drawn as in training; None where the agent has no other than greedy ones.
        value: expected discounted return [N]; None where it has no critic.
    """

    act: Callable[[Tensor], Tensor]
    scores: Callable[[Tensor, Tensor], Tensor]
    score_names: tuple[str, ...]
    sample: Callable[[Tensor], Tensor] | None = None
    value: Callable[[Tensor], Tensor] | None = None


def agent_of_policy(net: nn.Module, continuous_size: int = 0) -> Agent:
    """The agent of a net with `policy(obs)` and, perhaps, `value(obs)`.

    A Gaussian's density has slope zero at its own mean, so a continuous action is explained by the mean itself.

    Args:
        net: in eval mode.
        continuous_size: dimensions of a continuous action; 0 for choices.
    """

    def scores(obs_N: Tensor, actions_N: Tensor) -> Tensor:
        policy = net.policy(obs_N)
        return policy.mean_NA if isinstance(policy, DiagonalGaussian) else policy.log_prob(actions_N)[:, None]

    names = tuple(f"action {a}" for a in range(continuous_size)) or ("log-probability of the action taken",)
    return Agent(
        act=lambda obs: net.policy(obs).mode(),
        scores=scores,
        score_names=names,
        sample=lambda obs: net.policy(obs).sample(),
        value=getattr(net, "value", None),
    )


def agent_that_remembers(net: nn.Module) -> Agent:
    """The agent of a recurrent net, for playing: what moves an action of its is not in one observation."""

    def scores(obs_N: Tensor, actions_N: Tensor) -> Tensor:
        raise InputError(
            "explain: expected a net that sees one observation at a time, got one that remembers; `zoo play` shows it"
        )

    return Agent(
        act=FromMemory(net, lambda policy: policy.mode()),
        scores=scores,
        score_names=(),
        sample=FromMemory(net, lambda policy: policy.sample()),
    )
