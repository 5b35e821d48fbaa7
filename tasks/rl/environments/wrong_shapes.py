"""Environments and wrappers whose answers do not have the shape that their spaces say, in one line."""

from typing import Any

import numpy as np
from gymnasium.vector import SyncVectorEnv, VectorEnv

from zoo.errors import InputError

Answer = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]


def stepped(environments: VectorEnv, actions: np.ndarray, name: str) -> Answer:
    """What `environments.step(actions)` gives.

    Raises:
        InputError: answers that do not stack, with the first environment whose observation is to blame.
    """
    try:
        return environments.step(actions)
    except (ValueError, TypeError) as error:
        raise InputError(_blame(environments, name, f"{type(error).__name__}: {error}")) from error


def begun(environments: VectorEnv, seed: int, name: str) -> np.ndarray:
    """First observations after `environments.reset(seed=seed)`.

    Raises:
        InputError: as `stepped`.
    """
    try:
        return environments.reset(seed=seed)[0]
    except (ValueError, TypeError) as error:
        raise InputError(_blame(environments, name, f"{type(error).__name__}: {error}")) from error


def refuse_wrong_shapes(environments: VectorEnv, observations: np.ndarray, rewards: np.ndarray, name: str) -> None:
    """Look at one answer of a vector environment.

    Raises:
        InputError: other shapes than the spaces say.
    """
    wanted = environments.observation_space.shape, (environments.num_envs,)
    got = observations.shape, rewards.shape
    if wanted != got:
        raise InputError(
            f"environment {name}: expected observations and rewards of shapes {wanted[0]} and {wanted[1]}, "
            f"got {got[0]} and {got[1]}; mend the environment or its wrappers"
        )


def _blame(environments: VectorEnv, name: str, reason: str) -> str:
    base = environments.unwrapped
    shape = environments.single_observation_space.shape
    if isinstance(base, SyncVectorEnv):
        for i, observation in enumerate(base._env_obs):
            if observation is not None and np.shape(observation) != shape:
                return (
                    f"environment {name}: expected observations of shape {shape}, got {np.shape(observation)} from "
                    f"environment {i}; mend the environment or its wrappers"
                )
    reason = " ".join(reason.split())[:160]
    return (
        f"environment {name}: expected an observation, one reward and two flags, got {reason}; "
        "mend the environment or its wrappers"
    )
