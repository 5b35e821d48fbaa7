"""Intervals for the mean difference of two variants measured on the same parts of the data.

Legend: J = pairs of cells (folds x repetitions).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its interval; infinite where one pair alone says nothing of the spread."""

    mean: float
    low: float
    high: float
    pairs: int


def corrected_interval(differences_J: np.ndarray, overlap: float, confidence: float = CONFIDENCE) -> Interval:
    """Nadeau and Bengio's (2003) corrected resampled t interval of a mean difference.

        mean +- t_{J-1} sqrt((1/J + overlap) s^2)

    The training sets of a cross-validation share most of their sentences, so that its differences are correlated, and
    the usual s^2/J is too small: `overlap` is test examples over training examples, 1/(K-1) for K folds (Bouckaert and
    Frank 2004 use it for repeated cross-validation). With 0 it is the usual t interval of independent differences.

    Args:
        differences_J: one a pair; NaN where one of the two is missing.
        overlap: n_test / n_train.
        confidence: of the interval.

    >>> i = corrected_interval(np.array([1.0, 2.0, 3.0]), overlap=0.0)
    >>> round(i.mean, 3), round(i.low, 3), round(i.high, 3)
    (2.0, -0.484, 4.484)
    """
    known = np.asarray(differences_J, float).ravel()
    known = known[np.isfinite(known)]
    pairs = len(known)
    if pairs < 2:
        return Interval(float(known.mean()) if pairs else float("nan"), -np.inf, np.inf, pairs)
    mean, variance = float(known.mean()), float(known.var(ddof=1))
    half = float(stdtrit(pairs - 1, 0.5 + confidence / 2)) * np.sqrt((1 / pairs + overlap) * variance)
    return Interval(mean, mean - half, mean + half, pairs)
