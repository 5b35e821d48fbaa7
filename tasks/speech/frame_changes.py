"""Changes of training frames, a whole batch at a time: other vocal tracts, other paces, a room's noise.

They act on log-mel energies before normalisation, cost a fraction of computing frames anew, and draw from torch's
global generator. Legend: B = utterances, T = frames, D = mel bands.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from tasks.speech.features import Features
from zoo.errors import InputError


class FrameChange(ABC):
    """One change of the log-mel frames of a batch."""

    @abstractmethod
    def __call__(self, frames_BTD: Tensor, lengths_B: Tensor, features: Features) -> tuple[Tensor, Tensor]:
        """The frames, changed, and how many each utterance has now."""


@dataclass(frozen=True)
class Warp(FrameChange):
    """Another vocal tract, all frequencies times a factor, and another pace: Jaitly and Hinton (2013).

    What the warped spectrum would have above half the sample rate is the highest band, repeated.

    Args:
        vocal_tract: largest factor of frequencies; the smallest is its inverse, drawn evenly in the logarithm.
        tempo: largest factor of the pace, likewise.
        shortest: frames that are left at least.
    """

    vocal_tract: float = 1.2
    tempo: float = 1.25
    shortest: int = 8

    def __post_init__(self) -> None:
        for name in ("vocal_tract", "tempo"):
            if getattr(self, name) < 1:
                raise InputError(f"Warp.{name}: expected 1 or more, got {getattr(self, name)}; 1 leaves it as it is")

    def __call__(self, frames_BTD: Tensor, lengths_B: Tensor, features: Features) -> tuple[Tensor, Tensor]:
        """See `FrameChange`."""
        tract_B, tempo_B = factors(self.vocal_tract, len(lengths_B)), factors(self.tempo, len(lengths_B))
        new_B = (lengths_B / tempo_B).round().long().clamp(min=self.shortest)
        return resampled(frames_BTD, places_of(lengths_B, new_B), warped_bands(tract_B, features)), new_B


@dataclass(frozen=True)
class RoomNoise(FrameChange):
    """Noise with a drawn slope over the bands, `low_db` to `high_db` below the utterance's mean power.

    Args:
        low_db: smallest distance.
        high_db: largest.
        share: of the utterances that get some.
        slope: standard deviation of the slope, in nepers of power a band.
    """

    low_db: float = 10.0
    high_db: float = 40.0
    share: float = 0.5
    slope: float = 0.02

    def __call__(self, frames_BTD: Tensor, lengths_B: Tensor, features: Features) -> tuple[Tensor, Tensor]:
        """See `FrameChange`."""
        batch, frames, bands = frames_BTD.shape
        down_B = (self.low_db + (self.high_db - self.low_db) * torch.rand(batch)) * math.log(10) / 10
        slope_BD = self.slope * torch.randn(batch, 1) * (torch.arange(bands) - (bands - 1) / 2)
        # Power in a mel band of noise: the mean of a few exponential variables, here of two.
        drawn_BTD = -torch.rand(2, batch, frames, bands).clamp(min=1e-6).log().mean(0)
        noise_BTD = (
            (mean_power(frames_BTD, lengths_B).log() - down_B)[:, None, None] + slope_BD[:, None] + drawn_BTD.log()
        )
        heard_B = torch.rand(batch) < self.share
        return torch.where(heard_B[:, None, None], torch.logaddexp(frames_BTD, noise_BTD), frames_BTD), lengths_B


def factors(largest: float, count: int) -> Tensor:
    """Factors from 1 / largest to largest, evenly in the logarithm."""
    return largest ** (2 * torch.rand(count) - 1)


def inside(lengths_B: Tensor, frames: int) -> Tensor:
    """True for frames of the utterance, [B, T]."""
    return torch.arange(frames) < lengths_B[:, None]


def places_of(lengths_B: Tensor, new_B: Tensor) -> Tensor:
    """Where each of the new frames lies among the old ones, [B, T]; first on first and last on last.

    >>> places_of(torch.tensor([5]), torch.tensor([3])).tolist()
    [[0.0, 2.0, 4.0]]
    """
    return torch.arange(int(new_B.max())) * ((lengths_B - 1) / (new_B - 1).clamp(min=1))[:, None]


def warped_bands(factors_B: Tensor, features: Features) -> Tensor:
    """The band, between bands, whose frequency is `factor` times that of each band, [B, D]."""
    top = 2595 * torch.tensor(1 + features.rate / 2 / 700).log10()  # HTK's mel scale, as the features have it
    step = top / (features.bands + 1)
    hertz_D = 700 * (10 ** (step * torch.arange(1, features.bands + 1) / 2595) - 1)
    bands_BD = 2595 * (1 + hertz_D * factors_B[:, None] / 700).log10() / step - 1
    return bands_BD.clamp(0, features.bands - 1)


def resampled(frames_BTD: Tensor, times_BT: Tensor, bands_BD: Tensor) -> Tensor:
    """Frames at other times and bands, linearly interpolated in both; beyond the ends they are repeated."""
    shape = (len(frames_BTD), times_BT.shape[1], bands_BD.shape[1])
    across = (bands_BD * 2 / max(frames_BTD.shape[2] - 1, 1) - 1)[:, None].expand(shape)
    along = (times_BT * 2 / max(frames_BTD.shape[1] - 1, 1) - 1)[..., None].expand(shape)
    grid = torch.stack([across, along], -1)
    return grid_sample(frames_BTD[:, None], grid, padding_mode="border", align_corners=True)[:, 0]


def finished(frames_BTD: Tensor, lengths_B: Tensor, features: Features) -> Tensor:
    """Log-mel frames floored and normalised within their utterance, as `features` would; 0 behind the end."""
    inside_BT1 = inside(lengths_B, frames_BTD.shape[1])[..., None]
    if features.floor_db is not None:
        power_B = mean_power(frames_BTD, lengths_B)
        floor_B = power_B.log() - features.floor_db * math.log(10) / 10
        frames_BTD = torch.logaddexp(frames_BTD, floor_B[:, None, None])
    if not features.normalise:
        return frames_BTD * inside_BT1
    count_B11 = lengths_B[:, None, None]
    centred_BTD = (frames_BTD - (frames_BTD * inside_BT1).sum(1, keepdim=True) / count_B11) * inside_BT1
    variance_B1D = centred_BTD.square().sum(1, keepdim=True) / count_B11
    if features.deviation == "all":
        variance_B1D = variance_B1D.mean(2, keepdim=True)
    return centred_BTD / variance_B1D.sqrt().clamp(min=1e-5)


def mean_power(frames_BTD: Tensor, lengths_B: Tensor) -> Tensor:
    """Mean energy over bands and the frames of each utterance, [B]."""
    inside_BT1 = inside(lengths_B, frames_BTD.shape[1])[..., None]
    return (frames_BTD.exp() * inside_BT1).sum((1, 2)) / (lengths_B * frames_BTD.shape[2])
