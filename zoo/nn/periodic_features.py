"""Features that make a net periodic, exactly. Dong and Ni (2021)."""

import math

import torch
from torch import Tensor, nn

from zoo.errors import InputError


class PeriodicFeatures(nn.Module):
    """Chosen columns x as cos(2 pi k x / L), sin(2 pi k x / L), k = 1..K; the others as they are, in front.

    Args:
        in_features: D.
        periods: column -> L.
        harmonics: K.

    Raises:
        InputError: a column that is not there, a period or K that is not positive.

    >>> PeriodicFeatures(2, {1: 2.0})(torch.tensor([[0.5, 2.0]])).round(decimals=3).tolist()
    [[0.5, 1.0, 0.0]]
    """

    def __init__(self, in_features: int, periods: dict[int, float], harmonics: int = 1):
        super().__init__()
        wrong = [c for c, period in periods.items() if not 0 <= c < in_features or period <= 0]
        if wrong or harmonics < 1 or not periods:
            raise InputError(
                f"PeriodicFeatures: expected columns 0..{in_features - 1}, positive periods and harmonics >= 1, got "
                f"{periods} and {harmonics}; mend the recipe"
            )
        self.in_features, self.periods = in_features, periods
        self.kept = [column for column in range(in_features) if column not in periods]
        self.out_features = len(self.kept) + 2 * harmonics * len(periods)
        # Whole numbers are exact in every dtype; 2 pi rounded to float32 and then converted would shift the period.
        self.register_buffer("multiples", torch.arange(1.0, harmonics + 1))

    def forward(self, x_ND: Tensor) -> Tensor:
        """Features [N, out_features]."""
        parts = [x_ND[..., c : c + 1] for c in self.kept]
        for column, period in self.periods.items():
            phase = x_ND[..., column : column + 1] * (self.multiples * (2 * math.pi / period))
            parts += [torch.cos(phase), torch.sin(phase)]
        return torch.cat(parts, -1)
