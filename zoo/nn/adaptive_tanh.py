"""tanh with a slope that is trained. Jagtap, Kawaguchi and Karniadakis (2020)."""

import torch
from torch import Tensor, nn


class AdaptiveTanh(nn.Module):
    """tanh(scale a x), a trained, scale a = 1 at the start.

    Args:
        scale: fixed; the larger, the faster the slope adapts.

    >>> AdaptiveTanh()(torch.zeros(2)).tolist()
    [0.0, 0.0]
    """

    is_activation = True

    def __init__(self, scale: float = 10.0):
        super().__init__()
        self.scale = scale
        self.slope = nn.Parameter(torch.tensor(1.0 / scale))

    def forward(self, x: Tensor) -> Tensor:
        """Shaped like the input."""
        return torch.tanh(x * self.slope * self.scale)  # the parameter meets x by itself: the Jacobian copies it
