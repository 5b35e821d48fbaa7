"""How sure a mean of episodes is."""

import numpy as np
from scipy.special import stdtrit


def t_interval(values_E: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """mean ± t_{E-1} s / sqrt(E), Student's interval of a mean; NaN for a single value, which says nothing of spread.

    >>> low, high = t_interval(np.array([1.0, 2.0, 3.0]))
    >>> round(low, 3), round(high, 3)
    (-0.484, 4.484)
    """
    count, mean = len(values_E), float(np.mean(values_E))
    if count < 2:
        return float("nan"), float("nan")
    half = float(stdtrit(count - 1, (1 + confidence) / 2) * np.std(values_E, ddof=1) / count**0.5)
    return mean - half, mean + half
