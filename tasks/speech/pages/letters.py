"""The spectrogram of an utterance, what its answer rests on, and each letter at its time.

Legend: U = labels of the answer, T = frames, D = features.
"""

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from tasks.speech.features import Features
from zoo.reports import Figure, heat_map, image_grid, overlay

MOST_LETTERS = 32


def spectrogram(features_TD: Tensor, features: Features, caption: str) -> Figure:
    """Features over time, the highest at the top."""
    return _picture(features_TD, features, caption, signed=False)


def map_picture(map_TD: Tensor, features: Features, caption: str) -> Figure:
    """A map over the same axes: red speaks for the answer, blue against it."""
    return _picture(map_TD, features, caption, signed=True)


def feature_names(features: Features) -> list[str]:
    """The middle frequency of each mel band; numbers where features are no bands or several frames.

    mel(f) = 2595 log10(1 + f / 700), O'Shaughnessy (1987), bands evenly spaced in it.

    >>> feature_names(Features(rate=8000, bands=3))
    ['427 Hz', '1114 Hz', '2220 Hz']
    """
    if features.kind == "mfcc" or features.deltas or features.stack > 1:
        return [str(d) for d in range(features.size)]
    low, high = (2595 * math.log10(1 + f / 700) for f in (20.0 if features.kind == "kaldi" else 0.0, features.rate / 2))
    middles = [low + (high - low) * (band + 1) / (features.bands + 1) for band in range(features.bands)]
    return [f"{700 * (10 ** (mel / 2595) - 1):.0f} Hz" for mel in middles]


def letter_pictures(
    features_TD: Tensor, maps_UTD: Tensor, letters: Sequence[str], seconds: Sequence[float], caption: str
) -> Figure:
    """The map of each letter over the grey spectrogram, with the time at which it is heard."""
    low, high = float(features_TD.min()), float(features_TD.max())
    grey_1DT = _upright((features_TD - low) / max(high - low, 1e-9))[None]
    cells = [
        (overlay(grey_1DT, _upright(map_TD)), f"{letter if letter != ' ' else '␣'} at {at:.2f} s")
        for map_TD, letter, at in zip(maps_UTD[:MOST_LETTERS], letters, seconds, strict=False)
    ]
    rows = [cells[i : i + 8] for i in range(0, len(cells), 8)]
    return image_grid(rows, side=84, caption=caption)


def _upright(map_TD: Tensor) -> np.ndarray:
    return map_TD.float().t().flip(0).numpy()


def _picture(map_TD: Tensor, features: Features, caption: str, signed: bool) -> Figure:
    columns = [f"{t * features.seconds_per_frame:.2f} s" for t in range(len(map_TD))]
    rows = feature_names(features)[::-1]
    return heat_map(_upright(map_TD), rows, columns, log=False, x_label="time", caption=caption, signed=signed)
