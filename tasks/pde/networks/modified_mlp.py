"""Multilayer perceptron whose layers are mixed by two gates of the coordinates. Wang, Teng and Perdikaris (2021)."""

from itertools import pairwise

from torch import Tensor, nn

from tasks.pde.networks.mlp import glorot_linear


class ModifiedMLP(nn.Module):
    """H <- Z U + (1 - Z) V with Z = act(W H + b), U = act(W_u x + b_u), V = act(W_v x + b_v); H = x at the start.

    Args:
        in_features: coordinates.
        out_features: fields.
        hidden_size: width of every layer and of the gates.
        layers: hidden layers.
        activation: a smooth one.
        features: of the coordinates, with `out_features`, in front of everything.

    >>> import torch
    >>> ModifiedMLP(2, 1, 16, 3)(torch.zeros(5, 2)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        in_features: int = 2,
        out_features: int = 1,
        hidden_size: int = 20,
        layers: int = 3,
        activation: type[nn.Module] = nn.Tanh,
        features: nn.Module | None = None,
    ):
        super().__init__()
        width = in_features if features is None else features.out_features
        self.features = nn.Identity() if features is None else features
        self.gate_u, self.gate_v = (nn.Sequential(glorot_linear(width, hidden_size), activation()) for _ in range(2))
        sizes = pairwise([width, *[hidden_size] * layers])
        self.hidden = nn.ModuleList(nn.Sequential(glorot_linear(i, o), activation()) for i, o in sizes)
        self.last = glorot_linear(hidden_size, out_features)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Fields [N, K] at points [N, D]."""
        x = self.features(x_ND)
        u, v = self.gate_u(x), self.gate_v(x)
        difference = u - v
        for layer in self.hidden:
            x = layer(x) * difference + v
        return self.last(x)
