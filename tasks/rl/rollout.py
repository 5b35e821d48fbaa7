"""Rollouts: what happened in B environments over T steps, collected without autograd.

Legend: T = steps, B = environments, N = valid samples of a rollout.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from tasks.rl.environments.environment import Environment
from tasks.rl.environments.nonfinite import refuse_nonfinite
from tasks.rl.environments.plain_values import NotPlain, plain, revived
from tasks.rl.environments.spaces import Spaces
from tasks.rl.environments.state import environment_state, replayable, restore_environments
from tasks.rl.environments.wrong_shapes import begun, refuse_wrong_shapes, stepped
from zoo.errors import InputError


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
        memory_2BH: what a recurrent net remembered before the first observation; None of other nets.
    """

    obs_TB: Tensor
    actions_TB: Tensor
    rewards_TB: Tensor
    discount_TB: Tensor
    continues_TB: Tensor
    valid_TB: Tensor
    memory_2BH: Tensor | None = None


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
        self.environments, self.spaces, self.discount, self.name = replayable(environments), spaces, discount, name
        self.observations = spaces.tensor(begun(self.environments, seed, name))
        count = environments.num_envs
        self.ended_B = np.zeros(count, dtype=bool)  # the coming step resets and is no transition
        self.returns_B, self.lengths_B = np.zeros(count), np.zeros(count, dtype=np.int64)
        self.steps = 0  # transitions so far, over all environments
        self._told = False
        self.vector_steps = 0  # of each environment, those included that reset

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
            answer = stepped(self.environments, spaces.to_env(actions), self.name)
            observations, rewards, terminated, truncated, _ = answer
            valid_TB[t] = ~self.ended_B
            rewards_TB[t], terminated_TB[t] = rewards, terminated
            self.ended_B = ended_TB[t] = terminated | truncated
            self._count(rewards, valid_TB[t], episodes)
            self.observations = spaces.tensor(observations)
        obs_TB[steps] = self.observations
        refuse_wrong_shapes(self.environments, observations, rewards, self.name)
        dtype = torch.get_default_dtype()
        discount_TB = self.discount * ~terminated_TB
        as_tensors = (torch.from_numpy(a).to(dtype) for a in (rewards_TB, discount_TB, ~ended_TB))
        rollout = Rollout(obs_TB, actions_TB, *as_tensors, torch.from_numpy(valid_TB))
        self._refuse_nonfinite(rollout)
        self.vector_steps += steps
        return rollout, episodes

    def _refuse_nonfinite(self, rollout: Rollout) -> None:
        # In the order in which one follows from another: observation, action, reward, next observation.
        batch = {"observations": rollout.obs_TB, "actions": rollout.actions_TB, "rewards": rollout.rewards_TB}
        refuse_nonfinite(batch, self.name, self.vector_steps)

    def _count(self, rewards: np.ndarray, valid_B: np.ndarray, episodes: Episodes) -> None:
        self.steps += int(valid_B.sum())
        self.returns_B += np.where(valid_B, rewards, 0.0)
        self.lengths_B += valid_B
        if self.ended_B.any():
            episodes.returns.extend(self.returns_B[self.ended_B].tolist())
            episodes.lengths.extend(self.lengths_B[self.ended_B].tolist())
            self.returns_B[self.ended_B] = 0.0
            self.lengths_B[self.ended_B] = 0

    def state_dict(self) -> dict[str, Any]:
        """Where the collection stands, in plain values; says so, once, where the episodes cannot be brought back."""
        names = ("ended_B", "returns_B", "lengths_B", "steps", "vector_steps")
        state = {name: plain(getattr(self, name)) for name in names} | {"observations": self.observations}
        try:
            state["environments"] = environment_state(self.environments)
        except NotPlain as reason:
            state["environments"] = None
            if not self._told:
                self._told = True
                _note(f"a resumed run of {self.name} will start new episodes ({reason} cannot be kept in a checkpoint)")
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken; episodes that do not come back to the bit are begun anew."""
        if len(revived(state["ended_B"])) != self.environments.num_envs:
            raise InputError(
                f"resume: expected a checkpoint of {self.environments.num_envs} environments, got one of "
                f"{len(revived(state['ended_B']))}; resume with the count that the run was started with"
            )
        self.steps, self.vector_steps = state["steps"], state["vector_steps"]
        if state["environments"] is None:
            _note(f"new episodes of {self.name} start here: the checkpoint could not keep the former ones")
            return
        self.ended_B, self.returns_B, self.lengths_B = (
            revived(state[name]) for name in ("ended_B", "returns_B", "lengths_B")
        )
        self.observations = state["observations"]
        replayed = restore_environments(self.environments, state["environments"])
        if replayed is not None:
            self._verify(self.spaces.tensor(replayed))

    def _verify(self, replayed: Tensor) -> None:
        same_B = (replayed == self.observations).flatten(1).all(1)
        if same_B.all():
            return
        rows = (~same_B).nonzero()[:, 0].numpy()
        shown = ", ".join(str(i) for i in rows[:5]) + (" and more" if len(rows) > 5 else "")
        _note(
            f"{self.name}: replay does not give the observations of the checkpoint in environment {shown}; "
            "new episodes start there, and the run is not the one that was never stopped"
        )
        self.ended_B[rows], self.returns_B[rows], self.lengths_B[rows] = False, 0.0, 0
        for i, observation in self.environments.begin_anew(rows).items():
            self.observations[i] = self.spaces.tensor(observation[None])[0]


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr, flush=True)


def collector_of(environment: Environment, discount: float, state: dict[str, Any] | None) -> Collector:
    """A collector reset by a seed of the run, or put back to where a checkpoint found it."""
    # A resumed run has its random state back already and must not draw from it.
    seed = int(torch.randint(2**31, ())) if state is None else 0
    collector = Collector(environment.vector(), environment.spaces, discount, seed, environment.id)
    if state is not None:
        collector.load_state_dict(state)
    return collector
