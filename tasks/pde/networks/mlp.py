"""Multilayer perceptron with smooth activations."""

from itertools import pairwise

from torch import Tensor, nn


class MLP(nn.Module):
    """Linear layers with an activation between them, Glorot-normal weights and zero biases (as Raissi et al. 2019).

    Args:
        in_features: coordinates (or features of them).
        out_features: fields.
        hidden_sizes: width of every hidden layer.
        activation: a smooth one; jets refuse ReLU, whose second derivative is zero.

    >>> import torch
    >>> MLP(2, 1, [20, 20, 20])(torch.zeros(5, 2)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        in_features: int = 2,
        out_features: int = 1,
        hidden_sizes: list[int] = (20, 20, 20),
        activation: type[nn.Module] = nn.Tanh,
    ):
        super().__init__()
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise([in_features, *hidden_sizes, out_features]):
            layer = nn.Linear(fan_in, fan_out)
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
            layers += [layer, activation()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x_ND: Tensor) -> Tensor:
        """Fields [N, K] at points [N, D]."""
        return self.layers(x_ND)
