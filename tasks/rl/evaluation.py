"""Episodes of a fixed policy, played side by side.

Legend: E = episodes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from pytorch_lightning import LightningModule
from torch import Tensor

from tasks.rl.environments.environment import Environment
from tasks.rl.environments.spaces import Spaces
from zoo.errors import InputError

# Environment i of a vector starts from seed + i: far apart, so that no split sees starts of another.
VALIDATION_SEED, TEST_SEED, EXPLANATION_SEED = 1_000_000, 2_000_000, 3_000_000


@dataclass(frozen=True)
class Played:
    """Returns [E] and lengths [E] of whole episodes, undiscounted."""

    returns_E: np.ndarray
    lengths_E: np.ndarray


@dataclass
class Evaluation:
    """Greedy episodes by which an agent is judged.

    Attributes:
        environment: where they are played.
        episodes: in each evaluation.
        seconds: CPU time that all of them took so far.
    """

    environment: Environment
    episodes: int
    seconds: float = 0.0

    def __post_init__(self):
        if self.episodes < 1:
            raise InputError(f"model.evaluation_episodes: expected 1 or more, got {self.episodes}; mend the recipe")

    def figures(self, act: Callable[[Tensor], Tensor], testing: bool) -> dict[str, Tensor]:
        """Return [E] and length [E]; episodes of the test start elsewhere than those of validation."""
        started = time.process_time()
        seen = played(self.environment, act, self.episodes, TEST_SEED if testing else VALIDATION_SEED)
        self.seconds += time.process_time() - started
        return {"return": torch.from_numpy(seen.returns_E), "length": torch.from_numpy(seen.lengths_E)}


def testing(task: LightningModule) -> bool:
    """Whether a task's Trainer runs a test."""
    return task._trainer is not None and task.trainer.testing


@torch.no_grad()
def played(environment: Environment, act: Callable[[Tensor], Tensor], episodes: int, seed: int) -> Played:
    """One episode in each of `episodes` environments, so that short episodes are not counted more often than long ones.

    Args:
        environment: what to play.
        act: observations [E, ...] -> actions [E, ...].
        episodes: how many.
        seed: of the reset.
    """
    vector = environment.vector(episodes)
    try:
        return episodes_in(vector, environment.spaces, act, seed)
    finally:
        vector.close()


@torch.no_grad()
def episodes_in(vector: VectorEnv, spaces: Spaces, act: Callable[[Tensor], Tensor], seed: int) -> Played:
    """One whole episode in each environment of a vector, from a reset with this seed."""
    observations, _ = vector.reset(seed=seed)
    returns_E, lengths_E = np.zeros(vector.num_envs), np.zeros(vector.num_envs, dtype=np.int64)
    running_E = np.ones(vector.num_envs, dtype=bool)
    while running_E.any():
        observations, rewards, terminated, truncated, _ = vector.step(spaces.to_env(act(spaces.tensor(observations))))
        returns_E += np.where(running_E, rewards, 0.0)
        lengths_E += running_E
        running_E &= ~(terminated | truncated)
    return Played(returns_E, lengths_E)
