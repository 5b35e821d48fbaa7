"""Occlusion: the score lost when a window is covered. Zeiler and Fergus (2014)."""

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from zoo.attribution.gradients import Score, checked_score, differentiable
from zoo.attribution.integrated_gradients import baseline_like
from zoo.errors import InputError


def occlusion(
    score: Score,
    inputs: Tensor,
    window: int | Sequence[int] = 3,
    stride: int | Sequence[int] = 1,
    baseline: Tensor | float = 0.0,
    rows: int = 256,
) -> Tensor:
    """mean over the windows that cover an input of score(x) - score(x with the window at the baseline).

    captum's Occlusion gives the same numbers; it covers one window of one example at a time.

    Args:
        score: inputs [k N, ...] -> [k N]; called with the batch repeated k times, block by block.
        inputs: [N, C, ...]; a window covers all channels.
        window, stride: in each dimension behind the channels.
        baseline: what a covered input becomes.
        rows: examples times windows evaluated at once.

    Raises:
        InputError: a window that does not fit, or strides that leave inputs uncovered.
    """
    sides = inputs.shape[2:]
    windows, strides = _each(window, len(sides)), _each(stride, len(sides))
    if any(not 1 <= w <= side or not 1 <= s <= w for w, s, side in zip(windows, strides, sides, strict=True)):
        raise InputError(
            f"occlusion: expected 1 <= stride <= window <= {list(sides)}, got window {windows}, stride {strides}; mend"
        )
    starts = [_starts(side, w, s) for side, w, s in zip(sides, windows, strides, strict=True)]
    masks = torch.stack([_mask(sides, corner, windows) for corner in product(*starts)]).to(inputs.device)
    covered = baseline_like(baseline, inputs)
    with differentiable(), torch.no_grad():
        x, counts = inputs.detach().clone(), masks.sum(0)
        total = torch.zeros_like(x)
        whole = checked_score(score, x)
        at_once = max(1, rows // len(x))
        for first in range(0, len(masks), at_once):
            chosen = masks[first : first + at_once, None, None]
            changed = torch.where(chosen, covered, x)
            lost = whole - checked_score(score, changed.flatten(0, 1)).view(len(chosen), -1)
            total += (lost.view(*lost.shape, *[1] * (x.dim() - 1)) * chosen).sum(0)
    return total / counts


def _each(value: int | Sequence[int], dimensions: int) -> list[int]:
    return [value] * dimensions if isinstance(value, int) else list(value)


def _starts(side: int, window: int, stride: int) -> list[int]:
    # Where the stride does not fit, the last window is cut at the border, as captum's is.
    return [number * stride for number in range(-(-(side - window) // stride) + 1)]


def _mask(sides: Sequence[int], corner: Sequence[int], windows: Sequence[int]) -> Tensor:
    mask = torch.zeros(tuple(sides), dtype=torch.bool)
    mask[tuple(slice(c, c + w) for c, w in zip(corner, windows, strict=True))] = True
    return mask
