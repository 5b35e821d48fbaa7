"""What a step does: how far it moves weights, and whether it goes past the lowest point along its way.

Legend: S = full readings, L = weight matrices.
"""

from dataclasses import dataclass

import numpy as np

from zoo.diagnosis.readings import Readings


@dataclass(frozen=True)
class Steps:
    """Readings of steps.

    Attributes:
        steps: [S].
        moved_LS: ||update|| / ||W||; NaN where W is zero.
        overshoot: [S], step / best step - 1 of the quadratic along the step (-1: tiny, 0: best, 1: nothing gained), by
            the slopes before and after it; NaN where the step did not go downhill.
        promised: [S], decrease of the loss that the slope promised.
        cosine: [S], between the gradients before and after the step.
    """

    steps: np.ndarray
    moved_LS: np.ndarray
    overshoot: np.ndarray
    promised: np.ndarray
    cosine: np.ndarray

    @property
    def typical(self) -> np.ndarray:
        """Median of ||update|| / ||W|| over the matrices, [S]."""
        return _by_column(np.nanmedian, self.moved_LS)

    @property
    def largest(self) -> np.ndarray:
        """Largest ||update|| / ||W||, [S]."""
        return _by_column(np.nanmax, self.moved_LS)


def steps_of(readings: Readings) -> Steps | None:
    """Full readings of steps, None without any."""
    updates, weights = readings.grid("update_norm"), readings.grid("weight_norm")
    whole = [readings.whole(name) for name in ("promised_decrease", "slope_after", "gradient_cosine")]
    if not updates or any(one is None for one in whole):
        return None
    matrices = set(readings.first("fan_in")) or set(updates.layers)
    rows = [i for i, name in enumerate(updates.layers) if name in matrices] or list(range(len(updates.layers)))
    shared = [np.isin(one.steps, updates.steps) for one in whole]
    promised, after, cosine = (one.values[keep] for one, keep in zip(whole, shared, strict=True))
    keep_S = np.isin(updates.steps, whole[0].steps)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = updates.values[rows][:, keep_S] / weights.values[rows][:, keep_S]
        overshoot = np.where(promised > 0, -after / promised, np.nan)
    return Steps(updates.steps[keep_S], np.where(np.isfinite(moved), moved, np.nan), overshoot, promised, cosine)


def _by_column(reduce, values_LS: np.ndarray) -> np.ndarray:
    known_S = np.isfinite(values_LS).any(0)
    result_S = np.full(values_LS.shape[1], np.nan)
    result_S[known_S] = reduce(values_LS[:, known_S], 0)
    return result_S
