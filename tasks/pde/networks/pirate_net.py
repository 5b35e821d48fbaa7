"""Residual blocks that are the identity at the start, so that depth costs nothing. Wang et al. (2024), PirateNets."""

import torch
from torch import Tensor, nn

from tasks.pde.networks.mlp import glorot_linear
from zoo.nn.fourier_features import FourierFeatures


class PirateBlock(nn.Module):
    """x <- alpha h(x) + (1 - alpha) x, h three layers gated by u and v; alpha is trained and zero at the start."""

    def __init__(self, size: int, activation: type[nn.Module]):
        super().__init__()
        self.first, self.second, self.third = (nn.Sequential(glorot_linear(size, size), activation()) for _ in range(3))
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, v: Tensor, difference: Tensor) -> Tensor:
        """[N, size]; the gates are given as v and u - v."""
        h = self.first(x) * difference + v
        h = self.second(h) * difference + v
        return (self.third(h) - x) * self.alpha + x


class PirateNet(nn.Module):
    """Random Fourier features, gated residual blocks, a linear layer: at the start linear in the features.

    Args:
        in_features: coordinates.
        out_features: fields.
        hidden_size: number of Fourier features and width of every layer; even.
        blocks: residual blocks of three layers.
        scale: standard deviation of the Fourier features' frequencies, in periods a unit of length.
        activation: a smooth one.
        features: of the coordinates (periodic ones), with `out_features`, in front of the Fourier features.

    >>> PirateNet(2, 1, 16, 2)(torch.zeros(5, 2)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        in_features: int = 2,
        out_features: int = 1,
        hidden_size: int = 32,
        blocks: int = 2,
        scale: float = 0.5,
        activation: type[nn.Module] = nn.Tanh,
        features: nn.Module | None = None,
    ):
        super().__init__()
        width = in_features if features is None else features.out_features
        fourier = FourierFeatures(width, hidden_size, scale)
        self.features = fourier if features is None else nn.Sequential(features, fourier)
        self.gate_u, self.gate_v = (
            nn.Sequential(glorot_linear(hidden_size, hidden_size), activation()) for _ in range(2)
        )
        self.blocks = nn.ModuleList(PirateBlock(hidden_size, activation) for _ in range(blocks))
        self.last = glorot_linear(hidden_size, out_features)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Fields [N, K] at points [N, D]."""
        x = self.features(x_ND)
        v = self.gate_v(x)
        difference = self.gate_u(x) - v
        for block in self.blocks:
            x = block(x, v, difference)
        return self.last(x)
