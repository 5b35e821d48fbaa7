"""Nets from coordinates to fields; jets go through them in the place of tensors."""

from tasks.pde.networks.mlp import MLP
from tasks.pde.networks.random_features import RandomFeatures
from tasks.pde.networks.sine import Sine

__all__ = ["MLP", "RandomFeatures", "Sine"]
