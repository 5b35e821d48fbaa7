"""Environments of gymnasium, made side by side, with one clear line where one cannot be made."""

from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from typing import Any, Literal

import gymnasium
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers import AtariPreprocessing, FlattenObservation, FrameStackObservation

from tasks.rl.environments.spaces import Spaces
from zoo.errors import InputError

EXTRAS = {  # module that is missing -> extra of this project that brings it
    "Box2D": "box2d",
    "box2d": "box2d",
    "mujoco": "mujoco",
    "imageio": "mujoco",
    "ale_py": "atari",
    "cv2": "atari",
}


@dataclass(frozen=True)
class Environment:
    """One environment of gymnasium and how many of it run side by side.

    Args:
        id: of gymnasium's registry; "module:Name-v0" imports the module first.
        count: environments side by side.
        options: arguments of the environment's constructor.
        preprocessing: "atari" for the preprocessing of Mnih et al. (2015): grey frames 84 x 84, every fourth, four of
            them stacked; dictionaries and tuples are flattened without being asked.
        vectorization: how gymnasium runs them; "auto" takes an environment's own vector implementation where it has
            one with the same spaces, and else runs them one by one.
        time_limit: steps after which an episode is truncated; None keeps the environment's own.

    Raises:
        InputError: no such environment, one that cannot be made here, or spaces that no net serves.
    """

    id: str
    count: int = 8
    options: dict[str, Any] = field(default_factory=dict)
    preprocessing: Literal["none", "atari"] = "none"
    vectorization: Literal["auto", "sync", "async"] = "auto"
    time_limit: int | None = None

    def __post_init__(self):
        if self.time_limit is not None and self.time_limit < 1:
            raise InputError(f"model.environment.time_limit: expected 1 step or more, got {self.time_limit}; mend it")
        if self.count < 1:
            raise InputError(f"model.environment.count: expected 1 or more, got {self.count}; mend the recipe")

    def vector(self, count: int | None = None) -> VectorEnv:
        """`count` of them side by side (the recipe's count by default)."""
        count = count or self.count
        made = self._native(count) if self.vectorization == "auto" else None
        if made is None:
            kind = gymnasium.vector.AsyncVectorEnv if self.vectorization == "async" else gymnasium.vector.SyncVectorEnv
            made = self._made(lambda: kind([self.single] * count))
        reset = made.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        if reset != AutoresetMode.NEXT_STEP:
            raise InputError(
                f"environment {self.id}: expected autoreset_mode NEXT_STEP, got {reset}; "
                "set model.environment.vectorization to sync"
            )
        return made

    def _native(self, count: int) -> VectorEnv | None:
        spec = self._spec()
        # Wrappers of single environments cannot be put around a native vector, and that of the Arcade Learning
        # Environment preprocesses in its own way.
        if spec.vector_entry_point is None or self.preprocessing != "none" or spec.namespace == "ALE":
            return None
        made = self._made(
            lambda: gymnasium.make_vec(spec, count, "vector_entry_point", **self._limit(), **self.options)
        )
        if (made.single_observation_space, made.single_action_space) == (self.spaces.observation, self.spaces.action):
            return made
        made.close()
        return None

    def _limit(self) -> dict[str, int]:
        return {} if self.time_limit is None else {"max_episode_steps": self.time_limit}

    def single(self, render_mode: str | None = None) -> gymnasium.Env:
        """One of them, for playing and drawing."""
        drawn = {"render_mode": render_mode} if render_mode else {}  # not every environment takes None for it
        frames = {"frameskip": 1} if self.preprocessing == "atari" else {}
        spec = self._spec()
        options = {**self._limit(), **frames, **self.options}
        made = self._made(lambda: gymnasium.make(spec, **drawn, **options))
        if self.preprocessing == "atari":
            made = self._made(lambda: FrameStackObservation(AtariPreprocessing(made), 4))
        if not isinstance(made.observation_space, spaces.Box):
            made = FlattenObservation(made)
        return made

    @cached_property
    def spaces(self) -> Spaces:
        """Spaces of one of them."""
        made = self.single()
        try:
            return Spaces(made.observation_space, made.action_space)
        finally:
            made.close()

    def _spec(self) -> Any:
        if self.id.startswith("ALE/"):
            _register_atari()
        try:
            module, _, name = self.id.rpartition(":")
            if module:
                import_module(module)
            return gymnasium.spec(name)
        except (gymnasium.error.Error, ModuleNotFoundError) as error:
            near = get_close_matches(self.id, gymnasium.registry, n=3, cutoff=0.5)
            hint = f"near ones: {', '.join(near)}" if near else "`gymnasium.registry` lists them"
            raise InputError(f"environment: expected an id of gymnasium, got {self.id!r}; {hint}") from error

    def _made(self, make: Any) -> Any:
        try:
            return make()
        except (gymnasium.error.DependencyNotInstalled, ModuleNotFoundError) as error:
            text = f"{error} {error.__cause__ or ''}"
            extra = next((extra for module, extra in EXTRAS.items() if module in text), None)
            mend = f'pip install "gradient-zoo[{extra}]"' if extra else "install it"
            raise InputError(f"environment {self.id}: expected its packages, got {error}; {mend}") from error
        except (TypeError, gymnasium.error.Error, AssertionError) as error:
            raise InputError(
                f"environment {self.id}: expected arguments that it takes, got {' '.join(str(error).split())[:200]}; "
                "mend model.environment"
            ) from error


def _register_atari() -> None:
    try:
        import ale_py
    except ModuleNotFoundError as error:
        raise InputError(
            'environment: expected ale-py for Atari games, got none; pip install "gradient-zoo[atari]"'
        ) from error
    gymnasium.register_envs(ale_py)
