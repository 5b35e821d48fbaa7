"""The memory of a recurrent net while it acts.

Legend: B = environments, H = hidden units.
"""

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


def remembers(net: nn.Module) -> bool:
    """Whether a net acts by what it saw before."""
    return hasattr(net, "empty_memory")
