"""Where the environments of a run stand, in plain values: a resumed run goes on in the middle of its episodes.

Environments that gymnasium runs one by one are replayed: what is kept is each one's generator as it was when its
episode began, and the actions since. Wrappers (time limits, stacked frames) come back by themselves that way, and
the observation at the end proves it. A native vector environment is its arrays, numbers and generator.
"""

from enum import Enum
from itertools import combinations
from typing import Any

import numpy as np
from gymnasium import Env, Space
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import SyncVectorEnv, VectorEnv, VectorWrapper
from gymnasium.vector.utils import concatenate, create_empty_array

from tasks.rl.environments.plain_values import NotPlain, plain, revived
from zoo.training.random_state import random_state, set_random_state

CONSTANT = (Space, EnvSpec, Enum, type)  # attributes of these types never change


class Replayable(VectorWrapper):
    """Environments side by side that remember how their present episodes came about.

    An environment without a time limit has an ever longer log.

    Args:
        env: gymnasium's own vector of single environments, with NEXT_STEP autoreset.
    """

    env: SyncVectorEnv

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Seed, then begin every episode as later ones begin, from the generator as it stands."""
        self.env.reset(seed=seed)
        self._starts = [_start(one) for one in self.env.envs]
        self._actions: list[np.ndarray] = []
        self._since_B = [0] * self.env.num_envs
        return self.env.reset(options=options)

    def step(self, actions: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Step, and note the action; an environment that ended begins anew here and ignores it."""
        self._actions.append(actions)
        if b"\1" in self.env._autoreset_envs.tobytes():
            self._begin(np.flatnonzero(self.env._autoreset_envs))
        return self.env.step(actions)

    def _begin(self, ended: np.ndarray) -> None:
        for i in ended:
            self._starts[i], self._since_B[i] = _start(self.env.envs[i]), len(self._actions)
        if oldest := min(self._since_B):
            del self._actions[:oldest]
            self._since_B = [since - oldest for since in self._since_B]

    def state(self) -> dict[str, Any]:
        """What `restore` needs."""
        actions = np.stack(self._actions) if self._actions else np.empty(0)
        kept = {"starts": self._starts, "since": self._since_B, "actions": actions, "ended": self.env._autoreset_envs}
        return plain(kept)

    def restore(self, state: dict[str, Any]) -> Any:
        """Replay all episodes; returns the observations at their ends."""
        kept = revived(state)
        self._starts, self._since_B, self._actions = kept["starts"], kept["since"], list(kept["actions"])
        before = random_state()  # an environment may draw from the generators that the run itself draws from
        observations = [self._replayed(i, kept["actions"]) for i in range(self.env.num_envs)]
        set_random_state(before)
        self.env._autoreset_envs = kept["ended"]
        return self._joined(observations)

    def _replayed(self, i: int, actions_TB: np.ndarray) -> Any:
        _set_start(self.env.envs[i], self._starts[i])
        observation, _ = self.env.envs[i].reset()
        for actions_B in actions_TB[self._since_B[i] :]:
            observation, *_ = self.env.envs[i].step(actions_B[i])
        return observation

    def begin_anew(self, rows: np.ndarray) -> dict[int, Any]:
        """Start new episodes in some environments; returns their first observations."""
        self._begin(rows)
        self.env._autoreset_envs[rows] = False
        return {int(i): self.env.envs[i].reset()[0] for i in rows}

    def _joined(self, observations: list[Any]) -> Any:
        space = self.env.single_observation_space
        return concatenate(space, observations, create_empty_array(space, self.env.num_envs, fn=np.zeros))


def _start(environment: Env) -> dict[str, Any]:
    """Everything random of a single environment, just before a reset."""
    base = environment.unwrapped
    start: dict[str, Any] = {"generator": base.np_random.bit_generator.state}
    if hasattr(base, "ale"):  # the Arcade Learning Environment has a generator of its own
        start["ale"] = base.ale.cloneState(include_rng=True).__getstate__()
    return start


def _set_start(environment: Env, start: dict[str, Any]) -> None:
    base = environment.unwrapped
    base.np_random.bit_generator.state = start["generator"]
    if "ale" in start:
        base.ale.restoreState(type(base.ale.cloneState())(start["ale"]))


def replayable(environments: VectorEnv) -> VectorEnv:
    """The environments themselves, with a log of actions around them where that is what their state rests on."""
    plainly = isinstance(environments, SyncVectorEnv)
    return Replayable(environments) if plainly else environments


def environment_state(environments: VectorEnv) -> dict[str, Any]:
    """Where all episodes stand.

    Raises:
        NotPlain: neither replay nor a copy of attributes can bring them back.
    """
    if isinstance(environments, Replayable):
        return {"replay": environments.state()}
    if isinstance(environments, VectorWrapper) or type(environments).__module__.startswith("gymnasium.vector"):
        raise NotPlain(type(environments).__name__)
    kept = {name: value for name, value in vars(environments).items() if not _constant(value)}
    _refuse_shared(kept)
    return {"attributes": {name: plain(value) for name, value in kept.items()}}


def restore_environments(environments: VectorEnv, state: dict[str, Any]) -> Any | None:
    """Put environments of the same kind back to where `environment_state` found them.

    Returns: the observations that replay ends at, for comparison; None where attributes were copied.
    """
    if "replay" in state:
        return environments.restore(state["replay"])
    for name, value in state["attributes"].items():
        setattr(environments, name, revived(value))
    return None


def _constant(value: Any) -> bool:
    return isinstance(value, CONSTANT) or callable(value)


def _refuse_shared(kept: dict[str, Any]) -> None:
    arrays = [(name, value) for name, value in kept.items() if isinstance(value, np.ndarray)]
    for (name, a), (other, b) in combinations(arrays, 2):
        if np.shares_memory(a, b):
            raise NotPlain(f"{name} and {other} in one memory")
