"""Occlusion: the score lost when a window is covered. Zeiler and Fergus (2014)."""

from collections.abc import Sequence
from itertools import islice, product

import torch
from torch import Tensor

from zoo.attribution.gradients import Score, checked_score, reading
from zoo.attribution.integrated_gradients import baseline_like
from zoo.errors import InputError


@reading
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
        inputs: [N, C, ...], a window covering all channels, or [N, P] without channels; integers (tokens) too.
        window, stride: in each dimension behind the channels.
        baseline: what a covered input becomes.
        rows: examples times windows evaluated at once.

    Raises:
        InputError: a window that does not fit, or strides that leave inputs uncovered.
    """
    sides = inputs.shape[2:] or inputs.shape[1:]
    windows, strides = _each(window, sides, "window"), _each(stride, sides, "stride")
    if rows < 1 or any(
        not 1 <= w <= side or not 1 <= s <= w for w, s, side in zip(windows, strides, sides, strict=True)
    ):
        raise InputError(
            f"occlusion: expected 1 <= stride <= window <= {list(sides)}, rows >= 1, got window {windows}, "
            f"stride {strides}, rows {rows}; mend"
        )
    starts = [_starts(side, w, s) for side, w, s in zip(sides, windows, strides, strict=True)]
    corners, at_once = product(*starts), max(1, rows // len(inputs))
    covered = baseline_like(baseline, inputs)
    with torch.no_grad():
        whole = checked_score(score, inputs.clone())
        total = torch.zeros(inputs.shape, dtype=whole.dtype, device=inputs.device)
        counts = 0
        while some := list(islice(corners, at_once)):
            masks = torch.stack([_mask(sides, corner, windows) for corner in some]).to(inputs.device)
            chosen = masks.view(len(some), *[1] * (inputs.dim() - len(sides)), *sides)
            lost = whole - checked_score(score, torch.where(chosen, covered, inputs).flatten(0, 1)).view(len(some), -1)
            total += (lost.view(*lost.shape, *[1] * (inputs.dim() - 1)) * chosen).sum(0)
            counts = counts + masks.sum(0)
    return total / counts


def _each(value: int | Sequence[int], sides: Sequence[int], name: str) -> list[int]:
    values = [value] * len(sides) if isinstance(value, int) else list(value)
    if len(values) != len(sides):
        raise InputError(f"occlusion.{name}: expected one number or {len(sides)}, got {values}; channels have none")
    return values


def _starts(side: int, window: int, stride: int) -> list[int]:
    # Where the stride does not fit, the last window is cut at the border, as captum's is.
    return [number * stride for number in range(-(-(side - window) // stride) + 1)]


def _mask(sides: Sequence[int], corner: Sequence[int], windows: Sequence[int]) -> Tensor:
    mask = torch.zeros(tuple(sides), dtype=torch.bool)
    mask[tuple(slice(c, c + w) for c, w in zip(corner, windows, strict=True))] = True
    return mask
