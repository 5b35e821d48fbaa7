"""Best-path decoding: the most probable label of every frame, repeats and blanks removed. Graves et al. (2006)."""

from torch import Tensor

from tasks.speech.losses import BLANK


def collapsed(path: list[int]) -> list[int]:
    """Labels of a path: repeats merged, then blanks removed.

    >>> collapsed([0, 3, 3, 0, 3, 5, 5])
    [3, 3, 5]
    """
    return [label for at, label in enumerate(path) if label != BLANK and (at == 0 or path[at - 1] != label)]


def greedy(log_probs_TBV: Tensor, frames_B: Tensor) -> list[list[int]]:
    """Labels of every utterance by its best path."""
    best_BT = log_probs_TBV.argmax(-1).t().tolist()
    return [collapsed(path[:frames]) for path, frames in zip(best_BT, frames_B.tolist(), strict=True)]
