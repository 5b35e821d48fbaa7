"""The memory of a recurrent net while it acts.

Legend: B = environments, H = hidden units.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tasks.rl.distributions import Categorical, DiagonalGaussian, MultiCategorical


class Memory:
    """What a net remembers of the present episode of each environment.

    Args:
        net: `empty_memory(count)` and `advance(obs, memory)`.
        count: environments.
    """

    def __init__(self, net: nn.Module, count: int):
        self.net, self.state_2BH = net, net.empty_memory(count)

    @torch.no_grad()
    def policy(self, obs_B: Tensor, ended_B: Tensor | None = None) -> Categorical | MultiCategorical | DiagonalGaussian:
        """pi(. | all so far); what was remembered of episodes of which this observation is the last is forgotten."""
        policy, state_2BH = self.net.advance(obs_B, self.state_2BH)
        self.state_2BH = state_2BH if ended_B is None else state_2BH * ~ended_B[:, None]
        return policy


class FromMemory:
    """Actions of one environment by a net that remembers: act(observations [1, ...]) -> [1, ...].

    Args:
        net: see `Memory`.
        choose: a policy's action, the mode or a sample.
    """

    def __init__(self, net: nn.Module, choose: Callable[[Categorical | MultiCategorical | DiagonalGaussian], Tensor]):
        self.net, self.choose = net, choose
        self.begin()

    def begin(self) -> None:
        """Forget everything: an episode begins."""
        self.memory = Memory(self.net, 1)

    def __call__(self, obs_B: Tensor) -> Tensor:
        """The next action of the episode."""
        return self.choose(self.memory.policy(obs_B))


def remembers(net: nn.Module) -> bool:
    """Whether a net acts by what it saw before."""
    return hasattr(net, "empty_memory")
