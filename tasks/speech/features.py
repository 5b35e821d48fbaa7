"""Samples -> frames of numbers: log-mel energies, MFCC, Kaldi's filter bank; normalised, with deltas, stacked.

Legend: S = samples, T = frames, D = features of a frame.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from zoo.errors import InputError


@dataclass(frozen=True)
class Features:
    """How sound becomes frames; called with samples_S in -1..1 it gives [T, D].

    Args:
        kind: log_mel (of the power spectrum), mfcc (their cosine transform), or kaldi (Kaldi's log filter bank:
            pre-emphasis, Povey's window, no centring).
        rate: samples a second.
        bands: of the mel scale.
        coefficients: of mfcc.
        window_ms: length of a frame's window.
        hop_ms: from one frame to the next.
        deltas: how many derivatives in time are appended.
        stack: frames joined into one, which makes the sequence as many times shorter.
        normalise: subtract each feature's mean over the utterance, and divide by its standard deviation.
        deviation: of each feature by itself, or of all features together, by which bands that hold nothing but a
            room's noise stay quiet.
        floor_db: energies are raised by one that lies so many decibels below their mean over the utterance, so that
            pauses and empty bands are alike in all rooms; None raises none.

    >>> Features(rate=8000, bands=20)(torch.randn(8000)).shape
    torch.Size([101, 20])
    """

    kind: Literal["log_mel", "mfcc", "kaldi"] = "log_mel"
    rate: int = 16_000
    bands: int = 40
    coefficients: int = 13
    window_ms: float = 25.0
    hop_ms: float = 10.0
    deltas: int = 0
    stack: int = 1
    normalise: bool = True
    deviation: Literal["each", "all"] = "each"
    floor_db: float | None = None

    def __post_init__(self) -> None:
        for name in ("rate", "bands", "coefficients", "window_ms", "hop_ms", "stack"):
            if not getattr(self, name) > 0:
                raise InputError(f"features.{name}: expected more than 0, got {getattr(self, name)}; mend the recipe")
        if self.kind not in ("log_mel", "mfcc", "kaldi"):
            raise InputError(f"features.kind: expected log_mel, mfcc or kaldi, got {self.kind!r}; mend the recipe")
        if self.deviation not in ("each", "all"):
            raise InputError(f"features.deviation: expected each or all, got {self.deviation!r}; mend the recipe")
        if self.kind == "mfcc" and self.floor_db is not None:
            raise InputError(f"features.floor_db: expected none with mfcc, got {self.floor_db}; take log_mel or kaldi")
        if self.kind == "mfcc" and self.coefficients > self.bands:
            raise InputError(
                f"features.coefficients: expected at most {self.bands}, the bands, got {self.coefficients}; mend it"
            )

    @property
    def size(self) -> int:
        """D."""
        return (self.coefficients if self.kind == "mfcc" else self.bands) * (self.deltas + 1) * self.stack

    @property
    def seconds_per_frame(self) -> float:
        """From one (stacked) frame to the next."""
        return self.hop * self.stack / self.rate

    @property
    def _window(self) -> int:
        return round(self.rate * self.window_ms / 1000)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next, before stacking."""
        return max(1, round(self.rate * self.hop_ms / 1000))

    @cached_property
    def _fft(self) -> int:
        return 2 ** (self._window - 1).bit_length()

    def __call__(self, samples_S: Tensor) -> Tensor:
        """[T, D] of one utterance; T = 1 + S // hop before stacking (kaldi: windows that fit, at least one)."""
        if self.kind == "kaldi":
            frames_TD = self._kaldi(samples_S)
        else:
            frames_TD = self.of_windows(pad(samples_S, (self.reach, self.reach)))
        if self.floor_db is not None:
            frames_TD = floored(frames_TD, self.floor_db)
        frames_TD = with_deltas(frames_TD, self.deltas)
        if self.normalise:
            frames_TD = normalised(frames_TD, self.deviation == "all")
        return stacked(frames_TD, self.stack)

    @property
    def reach(self) -> int:
        """Samples on each side of a frame's middle that its window covers; zeros beyond the ends of the utterance."""
        return self._fft // 2

    def of_windows(self, samples_S: Tensor) -> Tensor:
        """[T, D] log-mel energies or MFCC of the windows that fit, one every `hop` samples."""
        window = torch.hann_window(self._window)
        spectrum = torch.stft(samples_S, self._fft, self.hop, self._window, window, center=False, return_complex=True)
        frames_TD = (spectrum.abs().square().t() @ self._filters + 1e-6).log()
        return frames_TD @ self._cosines if self.kind == "mfcc" else frames_TD

    @cached_property
    def _filters(self) -> Tensor:
        from torchaudio.functional import melscale_fbanks

        return melscale_fbanks(self._fft // 2 + 1, 0.0, self.rate / 2, self.bands, self.rate, mel_scale="htk")

    @cached_property
    def _cosines(self) -> Tensor:
        from torchaudio.functional import create_dct

        return create_dct(self.coefficients, self.bands, "ortho")

    def _kaldi(self, samples_S: Tensor) -> Tensor:
        from torchaudio.compliance.kaldi import fbank

        short = self._window - len(samples_S)
        return fbank(
            pad(samples_S, (0, short))[None] * 32768 if short > 0 else samples_S[None] * 32768,
            num_mel_bins=self.bands,
            frame_length=self.window_ms,
            frame_shift=self.hop_ms,
            sample_frequency=self.rate,
            dither=0.0,
        )


def with_deltas(frames_TD: Tensor, order: int) -> Tensor:
    """Frames with their regression slopes over five frames appended, `order` times. HTK's formula.

    >>> with_deltas(torch.arange(6.0)[:, None], 1)[2:4].tolist()
    [[2.0, 1.0], [3.0, 1.0]]
    """
    from torchaudio.functional import compute_deltas

    parts = [frames_TD]
    for _ in range(order):
        parts.append(compute_deltas(parts[-1].t()[None])[0].t())
    return torch.cat(parts, 1)


def floored(frames_TD: Tensor, below_db: float) -> Tensor:
    """Log-energies of energies raised by one that lies `below_db` decibels below their mean.

    >>> floored(torch.tensor([[1.0], [1e-9]]).log(), 10.0).exp()[:, 0]
    tensor([1.0500, 0.0500])
    """
    mean = frames_TD.exp().mean()
    return torch.logaddexp(frames_TD, mean.log() - below_db * math.log(10) / 10)


def normalised(frames_TD: Tensor, together: bool = False) -> Tensor:
    """Every feature with mean 0 over the utterance, and standard deviation 1, or all with one deviation `together`.

    A constant feature becomes 0.
    """
    centred = frames_TD - frames_TD.mean(0)
    variance = centred.square().mean() if together else centred.square().mean(0)
    return centred / variance.sqrt().clamp(min=1e-5)


def stacked(frames_TD: Tensor, count: int) -> Tensor:
    """Each `count` frames side by side as one; the last is filled up with zeros.

    >>> stacked(torch.arange(3.0)[:, None], 2).tolist()
    [[0.0, 1.0], [2.0, 0.0]]
    """
    missing = -len(frames_TD) % count
    return pad(frames_TD, (0, 0, 0, missing)).reshape(-1, count * frames_TD.shape[1])
