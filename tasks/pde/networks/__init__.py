"""Nets from coordinates to fields; jets go through them in the place of tensors."""

from tasks.pde.networks.deeponet import DeepONet
from tasks.pde.networks.mlp import MLP
from tasks.pde.networks.modified_mlp import ModifiedMLP
from tasks.pde.networks.pirate_net import PirateNet
from tasks.pde.networks.random_features import RandomFeatures
from tasks.pde.networks.sine import Sine

__all__ = [
    "MLP",
    "DeepONet",
    "ModifiedMLP",
    "PirateNet",
    "RandomFeatures",
    "Sine",
]
