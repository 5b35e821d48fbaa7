"""What a Q-learner learns from: single transitions, of one step or of n.

Legend: N = transitions.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Transitions(NamedTuple):
    """Rewards and discounts are those of n steps, the next observation stands n later; weights are 1 if uniform."""

    obs_N: Tensor
    actions_N: Tensor
    rewards_N: Tensor
    discount_N: Tensor
    next_obs_N: Tensor
    weights_N: Tensor
    index_N: Tensor

    def to(self, device: torch.device) -> "Transitions":
        """The same on another device."""
        return self if device.type == "cpu" else Transitions(*(tensor.to(device) for tensor in self))

    def split(self, size: int) -> Iterator["Transitions"]:
        """Parts of `size` transitions."""
        return map(Transitions._make, zip(*(tensor.split(size) for tensor in self), strict=True))
