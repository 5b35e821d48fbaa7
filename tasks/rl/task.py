"""Agents, by what they learn from."""

from tasks.rl.off_policy import QLearning
from tasks.rl.on_policy import PolicyGradient

__all__ = ["PolicyGradient", "QLearning"]
