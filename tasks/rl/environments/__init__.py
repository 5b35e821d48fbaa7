"""Environments of gymnasium: made side by side, their spaces, their state, and what is wrong with them in one line."""

from tasks.rl.environments.environment import Environment
from tasks.rl.environments.spaces import Spaces

__all__ = ["Environment", "Spaces"]
