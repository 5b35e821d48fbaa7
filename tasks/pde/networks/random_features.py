"""One hidden layer that stays as it is drawn: only the output layer is trained."""

from math import pi, tan

import torch
from torch import Tensor, nn

from tasks.pde.networks.sine import Sine
from zoo.errors import InputError


class RandomFeatures(nn.Module):
    """sum_i c_i s(w_i x + b_i), w and b uniform and fixed, c trained: random features, or an extreme learning machine.

    A linear equation becomes linear least squares, which a few steps of Levenberg-Marquardt solve to rounding; a
    nonlinear one keeps its minimum but loses the valleys that training the hidden layer makes. Huang, Zhu and Siew
    (2006); Dwivedi and Srinivasan (2020); Dong and Li (2021).

    Args:
        in_features: coordinates (or features of them).
        out_features: fields.
        width: features.
        scale: w and b are within it; too small and the features are alike, too large and they are too wild.
        activation: a smooth one.
        stretch: c of x -> tan(c x) / tan(c) on [-1, 1], which makes features finer towards its ends; 0 leaves x.

    Raises:
        InputError: a stretch outside of [0, pi / 2).

    >>> net = RandomFeatures(2, 1, width=50)
    >>> sum(p.numel() for p in net.parameters() if p.requires_grad)
    51
    """

    def __init__(
        self,
        in_features: int = 2,
        out_features: int = 1,
        width: int = 200,
        scale: float = 2.0,
        activation: type[nn.Module] = Sine,
        stretch: float = 0.0,
    ):
        super().__init__()
        if not 0 <= stretch < pi / 2:
            raise InputError(f"net.stretch: expected a number in [0, pi / 2), got {stretch}; 1.0 is usual, 0 is none")
        self.stretch = stretch
        self.hidden, self.activation = nn.Linear(in_features, width), activation()
        self.output = nn.Linear(width, out_features)
        for parameter in self.hidden.parameters():
            nn.init.uniform_(parameter, -scale, scale).requires_grad_(False)
        for parameter in self.output.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Fields [N, K] at points [N, D]."""
        return self.output(self.activation(self.hidden(self._stretched(x_ND))))

    def _stretched(self, x_ND: Tensor) -> Tensor:
        if not self.stretch:
            return x_ND
        # Jets know sine, cosine and division, and no tangent.
        return torch.sin(self.stretch * x_ND) * (1 / torch.cos(self.stretch * x_ND)) / tan(self.stretch)
