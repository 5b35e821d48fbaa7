"""Networks of agents: plain torch.nn, made for the spaces of an environment."""

from tasks.rl.networks.actor_critic import ActorCritic, ImageActorCritic
from tasks.rl.networks.linear_policy import LinearPolicy
from tasks.rl.networks.nature_cnn import NatureCNN

__all__ = ["ActorCritic", "ImageActorCritic", "LinearPolicy", "NatureCNN"]
