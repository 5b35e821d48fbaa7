"""Rollouts: what happened in B environments over T steps, collected without autograd.

Legend: T = steps, B = environments, N = valid samples of a rollout.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from tasks.rl.environments import refuse_nonfinite
from tasks.rl.spaces import Spaces


@dataclass(frozen=True)
class Rollout:
    """T steps of B environments.

    Attributes:
        obs_TB: T + 1 observations; the last observation of an episode stands in its place, followed by the first of
            the next one.
        actions_TB: what was done, in the net's units.
        rewards_TB: what it brought.
        discount_TB: gamma, and 0 where the episode terminated; a truncated one keeps gamma.
        continues_TB: 1 where the next observation is of the same episode.
        valid_TB: False at the step after an end, at which the environment resets and ignores the action.
    """

    obs_TB: Tensor
    actions_TB: Tensor
    rewards_TB: Tensor
    discount_TB: Tensor
    continues_TB: Tensor
    valid_TB: Tensor


@dataclass(frozen=True)
class Episodes:
    """Episodes that ended in a rollout: returns and lengths, each [E], before any scaling of rewards."""

    returns: list[float]
    lengths: list[int]


class Collector:
    """Steps a vector environment; keeps the present observations and each environment's running return.

    Args:
        environments: NEXT_STEP autoreset.
        spaces: of one of them.
        discount: gamma.
        seed: of the first reset.
        name: of the environment, for error messages.
    """

    def __init__(self, environments: VectorEnv, spaces: Spaces, discount: float, seed: int, name: str):
        self.environments, self.spaces, self.discount, self.name = environments, spaces, discount, name
        observations, _ = environments.reset(seed=seed)
        self.observations = spaces.tensor(observations)
        count = environments.num_envs
        self.ended_B = np.zeros(count, dtype=bool)  # the coming step resets and is no transition
        self.returns_B, self.lengths_B = np.zeros(count), np.zeros(count, dtype=np.int64)
        self.steps = 0  # transitions so far, over all environments

    @torch.no_grad()
    def collect(self, act: Callable[[Tensor], Tensor], steps: int) -> tuple[Rollout, Episodes]:
        """Step `steps` times with actions act(observations [B, ...]) -> [B, ...].

        Raises:
            InputError: a reward, observation or action that is not finite.
        """
        count, spaces = self.environments.num_envs, self.spaces
        obs_TB = self.observations.new_empty(steps + 1, *self.observations.shape)
        actions_TB = torch.empty(steps, count, *spaces.action_shape, dtype=spaces.action_dtype)
        rewards_TB, terminated_TB, ended_TB, valid_TB = (
            np.empty((steps, count), dtype) for dtype in (np.float64, bool, bool, bool)
        )
        episodes = Episodes([], [])
        for t in range(steps):
            obs_TB[t] = self.observations
            actions = act(self.observations)
            actions_TB[t] = actions
            observations, rewards, terminated, truncated, _ = self.environments.step(spaces.to_env(actions))
            valid_TB[t] = ~self.ended_B
            rewards_TB[t], terminated_TB[t] = rewards, terminated
            self.ended_B = ended_TB[t] = terminated | truncated
            self._count(rewards, valid_TB[t], episodes)
            self.observations = spaces.tensor(observations)
        obs_TB[steps] = self.observations
        refuse_nonfinite("reward", rewards_TB.T, self.name, self.steps)
        if obs_TB.is_floating_point():
            refuse_nonfinite("observation", obs_TB.transpose(0, 1).numpy(), self.name, self.steps)
        if actions_TB.is_floating_point():
            refuse_nonfinite("action", actions_TB.transpose(0, 1).numpy(), self.name, self.steps)
        dtype = torch.get_default_dtype()
        discount_TB = self.discount * ~terminated_TB
        as_tensors = (torch.from_numpy(a).to(dtype) for a in (rewards_TB, discount_TB, ~ended_TB))
        return Rollout(obs_TB, actions_TB, *as_tensors, torch.from_numpy(valid_TB)), episodes

    def _count(self, rewards: np.ndarray, valid_B: np.ndarray, episodes: Episodes) -> None:
        self.steps += int(valid_B.sum())
        self.returns_B += np.where(valid_B, rewards, 0.0)
        self.lengths_B += valid_B
        if self.ended_B.any():
            episodes.returns.extend(self.returns_B[self.ended_B].tolist())
            episodes.lengths.extend(self.lengths_B[self.ended_B].tolist())
            self.returns_B[self.ended_B] = 0.0
            self.lengths_B[self.ended_B] = 0
