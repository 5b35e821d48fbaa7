"""One episode from its reset to its end, looked at step by step.

Legend: T = steps of the episode.
"""

from collections.abc import Callable
from dataclasses import dataclass

import gymnasium
import numpy as np
import torch
from torch import Tensor

from tasks.rl.environments.nonfinite import refuse_nonfinite_values
from tasks.rl.environments.spaces import Spaces
from tasks.rl.memory import FromMemory


@dataclass(frozen=True)
class Episode:
    """What happened.

    Attributes:
        obs_T: T + 1 observations, the last one included.
        actions_T: in the net's units.
        rewards_T: float64.
        terminated: False where a time limit cut it, so that more reward lay beyond.
    """

    obs_T: Tensor
    actions_T: Tensor
    rewards_T: np.ndarray
    terminated: bool

    def __len__(self) -> int:
        return len(self.rewards_T)


@torch.no_grad()
def episode(
    single: gymnasium.Env,
    spaces: Spaces,
    act: Callable[[Tensor], Tensor],
    seed: int,
    watch: Callable[[int], None] = lambda step: None,
) -> Episode:
    """Play one episode; the seed alone decides how it starts.

    Args:
        single: one environment; its frames are the caller's to take, in `watch`.
        spaces: of the environment.
        act: observations [1, ...] -> actions [1, ...].
        seed: of the reset.
        watch: called with t when observation t stands, before its action, and with T at the end.
    """
    if isinstance(act, FromMemory):
        act.begin()
    observation, _ = single.reset(seed=seed)
    seen, actions, rewards, ended = [spaces.tensor(np.asarray(observation)[None])], [], [], False
    while not ended:
        watch(len(rewards))
        action = act(seen[-1])
        if action.is_floating_point():
            refuse_nonfinite_values("action", action.numpy(), single.spec.id, len(rewards))
        observation, reward, terminated, truncated, _ = single.step(spaces.to_env(action)[0])
        seen.append(spaces.tensor(np.asarray(observation)[None]))
        actions.append(action)
        rewards.append(float(reward))
        ended = terminated or truncated
    watch(len(rewards))
    return Episode(torch.cat(seen), torch.cat(actions), np.array(rewards), bool(terminated))
