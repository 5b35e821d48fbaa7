"""Changes of training utterances: of samples (speed, gain, noise) and of features (SpecAugment).

All draw from torch's global generator. Legend: S = samples, B = utterances, T = frames, D = features.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import InputError


def uniform(low: float, high: float) -> float:
    """One number between `low` and `high`."""
    return low + (high - low) * float(torch.rand(()))


class SampleChange(ABC):
    """One change of an utterance's samples."""

    @abstractmethod
    def __call__(self, samples_S: Tensor) -> Tensor:
        """The samples, changed."""


@dataclass(frozen=True)
class Speed(SampleChange):
    """Faster or slower by a factor from `low` to `high`: tempo and pitch together. Ko et al. (2015).

    Args:
        low: smallest factor, below 1 is slower.
        high: largest.
    """

    low: float = 0.9
    high: float = 1.1

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            raise InputError(f"Speed: expected 0 < low <= high, got {self.low} and {self.high}; 0.9 and 1.1 are usual")

    def __call__(self, samples_S: Tensor) -> Tensor:
        """The samples, linearly interpolated at a drawn pace."""
        factor = uniform(self.low, self.high)
        length = max(2, round(len(samples_S) / factor))
        return torch.nn.functional.interpolate(samples_S[None, None], length, mode="linear", align_corners=True)[0, 0]


@dataclass(frozen=True)
class Gain(SampleChange):
    """Louder or softer by `low_db` to `high_db` decibels; samples beyond full scale are clipped."""

    low_db: float = -6.0
    high_db: float = 6.0

    def __call__(self, samples_S: Tensor) -> Tensor:
        """The samples times a drawn factor."""
        return (samples_S * 10 ** (uniform(self.low_db, self.high_db) / 20)).clamp(-1, 1)


@dataclass(frozen=True)
class Noise(SampleChange):
    """White noise at a signal-to-noise ratio of `low_db` to `high_db` decibels."""

    low_db: float = 10.0
    high_db: float = 30.0

    def __call__(self, samples_S: Tensor) -> Tensor:
        """The samples with noise added."""
        return with_noise(samples_S, torch.randn_like(samples_S), uniform(self.low_db, self.high_db))


def with_noise(samples_S: Tensor, noise_S: Tensor, ratio_db: float) -> Tensor:
    """Samples + noise scaled so that their powers are `ratio_db` decibels apart.

    >>> mixed = with_noise(torch.ones(4), torch.tensor([2.0, -2, 2, -2]), 20.0)
    >>> round(float((mixed - 1).square().mean()), 4)
    0.01
    """
    power, of_noise = samples_S.square().mean(), noise_S.square().mean()
    return samples_S + noise_S * (power / of_noise.clamp(min=1e-20) / 10 ** (ratio_db / 10)).sqrt()


@dataclass(frozen=True)
class SpecAugment:
    """Bands of frequencies and stretches of time set to 0, the mean of normalised features. Park et al. (2019).

    Args:
        bands: how many bands of features.
        band_width: widest band, in features.
        stretches: how many stretches of time.
        stretch_share: longest stretch, as a share of the utterance.
    """

    bands: int = 2
    band_width: int = 8
    stretches: int = 2
    stretch_share: float = 0.1

    def __call__(self, features_BTD: Tensor, frames_B: Tensor) -> Tensor:
        """The features with every utterance's own bands and stretches masked."""
        batch, frames, size = features_BTD.shape
        masked = features_BTD
        for _ in range(self.bands):
            masked = masked.masked_fill(_drawn(torch.full((batch,), size), self.band_width, size)[:, None], 0)
        longest_B = (self.stretch_share * frames_B).long()
        for _ in range(self.stretches):
            masked = masked.masked_fill(_drawn(frames_B, longest_B, frames)[..., None], 0)
        return masked


def _drawn(lengths_B: Tensor, widest: int | Tensor, positions: int) -> Tensor:
    """[B, positions] true in a stretch of 0 .. widest positions, drawn within each length."""
    width_B = (torch.rand(len(lengths_B)) * (torch.as_tensor(widest) + 1)).long()
    first_B = (torch.rand(len(lengths_B)) * (lengths_B - width_B + 1).clamp(min=1)).long()
    places = torch.arange(positions)
    return (places >= first_B[:, None]) & (places < (first_B + width_B)[:, None])
