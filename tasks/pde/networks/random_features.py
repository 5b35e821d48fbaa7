"""One hidden layer that stays as it is drawn: only the output layer is trained."""

from torch import Tensor, nn

from tasks.pde.networks.sine import Sine


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
    ):
        super().__init__()
        self.hidden, self.activation = nn.Linear(in_features, width), activation()
        self.output = nn.Linear(width, out_features)
        for parameter in self.hidden.parameters():
            nn.init.uniform_(parameter, -scale, scale).requires_grad_(False)
        for parameter in self.output.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Fields [N, K] at points [N, D]."""
        return self.output(self.activation(self.hidden(x_ND)))
