"""Rewards in units of the return's spread.

Legend: T = steps, B = environments.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from tasks.rl.normalise import RunningMoments
from tasks.rl.rollout import Rollout


class RewardScale(nn.Module):
    """Rewards divided by the standard deviation of the discounted return so far, R_t = r_t + gamma R_{t-1}.

    Values are then of order 1 whatever the environment's units (Engstrom et al. 2020); a reward is not shifted, which
    would change what is best where episodes differ in length.

    Args:
        discount: gamma.
        clip: scaled rewards are clipped to [-clip, clip].
    """

    def __init__(self, discount: float, clip: float = 10.0):
        super().__init__()
        self.discount, self.clip = discount, clip
        self.moments = RunningMoments(())
        self.running_B: Tensor | None = None  # R of the present episodes

    def get_extra_state(self) -> dict[str, Tensor | None]:
        """As many numbers as the run has environments, which a test of it may have more or less of."""
        return {"running_B": self.running_B}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up what `get_extra_state` gave."""
        self.running_B = state["running_B"]

    @torch.no_grad()
    def forward(self, rollout: Rollout) -> Rollout:
        """Take up the rollout's returns, then scale its rewards."""
        self.moments.update(self._returns(rollout)[rollout.valid_TB])
        scaled_TB = (rollout.rewards_TB * self.moments.scale).clamp(-self.clip, self.clip)
        return replace(rollout, rewards_TB=scaled_TB)

    def _returns(self, rollout: Rollout) -> Tensor:
        running_B = torch.zeros_like(rollout.rewards_TB[0]) if self.running_B is None else self.running_B
        returns_TB = torch.empty_like(rollout.rewards_TB)
        for t, rewards_B in enumerate(rollout.rewards_TB):
            returns_TB[t] = running_B = rewards_B + self.discount * running_B
            running_B = running_B * rollout.continues_TB[t]
        self.running_B = running_B
        return returns_TB
