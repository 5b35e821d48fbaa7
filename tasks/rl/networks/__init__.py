"""Networks of agents: plain torch.nn, made for the spaces of an environment."""

from tasks.rl.networks.actor_critic import ActorCritic, ImageActorCritic
from tasks.rl.networks.dynamics import Dynamics, NAFWithModel
from tasks.rl.networks.linear_policy import LinearPolicy
from tasks.rl.networks.naf import NAF
from tasks.rl.networks.nature_cnn import NatureCNN
from tasks.rl.networks.q_network import NoisyLinear, QNetwork
from tasks.rl.networks.recurrent import RecurrentActorCritic

__all__ = [
    "NAF",
    "ActorCritic",
    "Dynamics",
    "ImageActorCritic",
    "LinearPolicy",
    "NAFWithModel",
    "NatureCNN",
    "NoisyLinear",
    "QNetwork",
    "RecurrentActorCritic",
]
