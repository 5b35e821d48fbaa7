"""Algorithms of reinforcement learning, one a file, over pure loss functions."""

from tasks.rl.algorithms.a2c import A2C
from tasks.rl.algorithms.pgpe import PGPE
from tasks.rl.algorithms.ppo import PPO
from tasks.rl.algorithms.reinforce import Reinforce

__all__ = ["A2C", "PGPE", "PPO", "Reinforce"]
