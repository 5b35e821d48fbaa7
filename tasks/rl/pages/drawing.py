"""Environments that draw themselves, with or without a display."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import gymnasium
import numpy as np

from tasks.rl.environments.environment import Environment
from zoo.errors import InputError

WITHOUT_DISPLAY = {"SDL_VIDEODRIVER": "dummy", "MUJOCO_GL": "egl", "PYGAME_HIDE_SUPPORT_PROMPT": "1"}


@contextmanager
def drawn(environment: Environment, mode: str | None) -> Iterator[gymnasium.Env]:
    """One environment that draws itself, closed at the end of the block.

    Args:
        environment: which.
        mode: "human" opens a window, "rgb_array" gives frames; None draws nothing.

    Raises:
        InputError: it lacks the mode.
    """
    if mode is not None:
        refuse_other_modes(environment, mode)
    aside = WITHOUT_DISPLAY if mode == "rgb_array" and without_display() else {}
    added = [name for name in aside if name not in os.environ]
    os.environ.update({name: aside[name] for name in added})
    try:
        single = environment.single(mode)
        try:
            yield single
        finally:
            single.close()
    finally:
        for name in added:
            del os.environ[name]


def without_display() -> bool:
    """Whether a window has no place to open."""
    named = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return sys.platform.startswith("linux") and not named


def refuse_other_modes(environment: Environment, mode: str) -> None:
    """Not every environment can be drawn.

    Raises:
        InputError: it lacks the mode.
    """
    bare = environment.single()
    known = bare.metadata.get("render_modes") or []
    bare.close()
    if mode not in known:
        modes = ", ".join(str(one) for one in known) or "none"
        raise InputError(
            f"render: expected an environment with render mode {mode}, got {environment.id} with {modes}; "
            "leave --render and --record out"
        )


def refuse_no_display() -> None:
    """A window needs a display.

    Raises:
        InputError: none is there.
    """
    if without_display() and not os.environ.get("SDL_VIDEODRIVER"):
        raise InputError("--render: expected a display for human, got none; take --record FILE.gif")


def frame_of(single: gymnasium.Env) -> np.ndarray:
    """The picture of the present state, bytes [H, W, 3].

    Raises:
        InputError: what draws it is missing, or has no place to draw.
    """
    name = single.spec.id
    try:
        frame = single.render()
    except gymnasium.error.DependencyNotInstalled as error:
        raise InputError(
            f'render {name}: expected its packages, got {error}; pip install "gradient-zoo[video]"'
        ) from error
    except Exception as error:  # drivers of displays raise whatever they like
        text = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(
            f"render {name}: expected a picture, got {text}; without a display try MUJOCO_GL=egl"
        ) from error
    if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3:
        got = list(frame.shape) if isinstance(frame, np.ndarray) else type(frame).__name__
        raise InputError(f"render {name}: expected frames [H, W, 3], got {got}; this environment cannot be filmed")
    return frame.astype(np.uint8, copy=False)
