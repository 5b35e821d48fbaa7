"""Nets from coordinates to fields; jets go through them in the place of tensors."""

from tasks.pde.networks.deeponet import DeepONet
from tasks.pde.networks.mlp import MLP

__all__ = ["MLP", "DeepONet"]
