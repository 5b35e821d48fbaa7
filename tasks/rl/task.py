"""Agents, by what they learn from."""

from tasks.rl.off_policy import QLearning
from tasks.rl.on_policy import PolicyGradient
from tasks.rl.parameter_exploring import ParameterExploring

__all__ = ["ParameterExploring", "PolicyGradient", "QLearning"]
