"""Algorithms of reinforcement learning, one a file, over pure loss functions."""

from tasks.rl.algorithms.a2c import A2C
from tasks.rl.algorithms.dqn import DQN, CategoricalDQN
from tasks.rl.algorithms.imagination import ImaginedNAF
from tasks.rl.algorithms.naf import NAF
from tasks.rl.algorithms.natural_policy_gradient import NaturalActorCritic, NaturalPolicyGradient
from tasks.rl.algorithms.pgpe import PGPE
from tasks.rl.algorithms.ppo import PPO
from tasks.rl.algorithms.recurrent import Recurrent
from tasks.rl.algorithms.reinforce import Reinforce
from tasks.rl.algorithms.trpo import TRPO
from tasks.rl.algorithms.value_fitting import ValueFitting

__all__ = [
    "A2C",
    "DQN",
    "NAF",
    "PGPE",
    "PPO",
    "TRPO",
    "CategoricalDQN",
    "ImaginedNAF",
    "NaturalActorCritic",
    "NaturalPolicyGradient",
    "Recurrent",
    "Reinforce",
    "ValueFitting",
]
