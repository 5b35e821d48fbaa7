"""Silence cut off at both ends of a sound.

Legend: S = samples, F = frames of 10 ms.
"""

from torch import Tensor


def trimmed(samples_S: Tensor, rate: int, below_db: float = 40.0) -> Tensor:
    """The samples from the first to the last 10 ms that are louder than the loudest 10 ms less `below_db` decibels.

    >>> trimmed(Tensor([0.0, 0.001, 1.0, 0.5, 0.001]), rate=100).tolist()
    [1.0, 0.5]
    """
    frame = max(1, rate // 100)
    if len(samples_S) < frame:
        return samples_S
    powers_F = samples_S.unfold(0, frame, frame).square().mean(1)
    loud = (powers_F > powers_F.max() * 10 ** (-below_db / 10)).nonzero()[:, 0].tolist()
    return samples_S[loud[0] * frame : (loud[-1] + 1) * frame] if loud else samples_S
