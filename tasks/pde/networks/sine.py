"""The sine as an activation. Sitzmann et al. (2020)."""

import torch
from torch import Tensor, nn


class Sine(nn.Module):
    """sin z."""

    def forward(self, z: Tensor) -> Tensor:
        """Elementwise."""
        return torch.sin(z)
