"""Multilayer perceptron with smooth activations."""

from itertools import pairwise

from torch import Tensor, nn


def glorot_linear(in_features: int, out_features: int) -> nn.Linear:
    """Linear layer with Glorot-normal weights and zero biases (as Raissi et al. 2019)."""
    layer = nn.Linear(in_features, out_features)
    nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class MLP(nn.Module):
    """Linear layers with an activation between them.

    Args:
        in_features: coordinates.
        out_features: fields.
        hidden_sizes: width of every hidden layer.
        activation: a smooth one; jets refuse ReLU, whose second derivative is zero.
        features: of the coordinates, with `out_features`, in front of the first layer.

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
        features: nn.Module | None = None,
    ):
        super().__init__()
        width = in_features if features is None else features.out_features
        layers: list[nn.Module] = [] if features is None else [features]
        for fan_in, fan_out in pairwise([width, *hidden_sizes, out_features]):
            layers += [glorot_linear(fan_in, fan_out), activation()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x_ND: Tensor) -> Tensor:
        """Fields [N, K] at points [N, D]."""
        return self.layers(x_ND)
