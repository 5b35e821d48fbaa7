"""Random Fourier features of the inputs. Tancik et al. (2020)."""

import math

import torch
from torch import Tensor, nn

from zoo.errors import InputError


class FourierFeatures(nn.Module):
    """[cos(2 pi B x), sin(2 pi B x)], B drawn once from N(0, scale^2) and kept in a buffer.

    Args:
        in_features: D.
        out_features: even; half cosines, half sines.
        scale: standard deviation of the frequencies; what varies faster than this is learnt late.

    Raises:
        InputError: an odd number of features.

    >>> FourierFeatures(2, 6)(torch.zeros(1, 2)).tolist()
    [[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]]
    """

    def __init__(self, in_features: int, out_features: int, scale: float = 1.0):
        super().__init__()
        if out_features % 2 or out_features < 2:
            raise InputError(
                f"FourierFeatures.out_features: expected an even number, got {out_features}; mend the recipe"
            )
        self.in_features, self.out_features = in_features, out_features
        self.register_buffer("frequencies", 2 * math.pi * scale * torch.randn(out_features // 2, in_features))

    def forward(self, x_ND: Tensor) -> Tensor:
        """Features [N, out_features]."""
        phase = nn.functional.linear(x_ND, self.frequencies)
        return torch.cat([torch.cos(phase), torch.sin(phase)], -1)
