"""The spectrogram of an utterance, what its answer rests on, and each letter at its time.

Legend: U = labels of the answer, T = frames, D = features.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from zoo.reports import Figure, heat_map, image_grid, overlay

MOST_LETTERS = 32


def spectrogram(features_TD: Tensor, seconds_per_frame: float, caption: str) -> Figure:
    """Features over time, the highest at the top."""
    return _picture(features_TD, seconds_per_frame, caption, signed=False)


def map_picture(map_TD: Tensor, seconds_per_frame: float, caption: str) -> Figure:
    """A map over the same axes: red speaks for the answer, blue against it."""
    return _picture(map_TD, seconds_per_frame, caption, signed=True)


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


def _picture(map_TD: Tensor, seconds_per_frame: float, caption: str, signed: bool) -> Figure:
    rows = [f"{d}" for d in reversed(range(map_TD.shape[1]))]
    columns = [f"{t * seconds_per_frame:.2f} s" for t in range(len(map_TD))]
    return heat_map(_upright(map_TD), rows, columns, log=False, x_label="time", caption=caption, signed=signed)
