"""What the loss does as a whole: where it started, whether it fell, where it rose. Legend: S = steps."""

from dataclasses import dataclass

import numpy as np

from zoo.diagnosis.readings import Readings
from zoo.diagnosis.thresholds import NO_PROGRESS, SMOOTH


@dataclass(frozen=True)
class LossCurve:
    """Finite losses with their running median.

    Attributes:
        steps, values, smooth: [S], `smooth` the median of the last `SMOOTH` losses.
        start: the level of the first steps.
        noise: robust deviation of a loss, from the differences of successive ones.
        first: how many losses the first level was taken from.
    """

    steps: np.ndarray
    values: np.ndarray
    smooth: np.ndarray
    start: float
    noise: float
    first: int

    @property
    def end(self) -> float:
        """Median of the last fifth."""
        return float(np.median(self.values[-max(1, len(self.values) // 5) :]))

    @property
    def best(self) -> float:
        """Lowest running median."""
        return float(self.smooth.min())

    @property
    def scale(self) -> float:
        """What changes are compared with: the first level, or the way down from it where that is longer."""
        return max(abs(self.start), self.start - self.best)

    @property
    def fell(self) -> bool:
        """Whether the end lies below the start by more than chance and `NO_PROGRESS`."""
        chance = 3 * self.noise * (1 / self.first + 1 / max(1, len(self.values) // 5)) ** 0.5
        return self.start - self.end > max(NO_PROGRESS * abs(self.start), chance)


def loss_curve(readings: Readings) -> LossCurve | None:
    """The curve of the objective; None before the first finite loss."""
    one = readings.whole("loss")
    finite = np.isfinite(one.values) if one is not None else np.zeros(0, bool)
    if not finite.any():
        return None
    steps, values = one.steps[finite], one.values[finite]
    smooth = running_median(values, SMOOTH)
    first = max(1, min(5, len(values) // 20))
    start = min(float(np.median(values[:first])), float(values[0]))
    return LossCurve(steps, values, smooth, start, noise_of(values), first)


def noise_of(values: np.ndarray) -> float:
    """Robust deviation of values about a slow trend, from the differences of successive ones."""
    return 1.4826 * float(np.median(np.abs(np.diff(values)))) / 2**0.5 if len(values) > 1 else 0.0


def running_median(values: np.ndarray, width: int) -> np.ndarray:
    """Median of each value and those before it, `width` of them where there are so many.

    >>> running_median(np.array([3.0, 1.0, 2.0, 9.0]), 3).tolist()
    [3.0, 2.0, 2.0, 2.0]
    """
    padded = np.concatenate([np.full(width - 1, np.nan), values])
    return np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, width), 1)
