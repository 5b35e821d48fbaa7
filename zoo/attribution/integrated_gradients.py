"""Integrated gradients: shares that add up to the change of the score. Sundararajan et al. (2017)."""

import numpy as np
import torch
from torch import Tensor

from zoo.attribution.gradients import Score, checked_score, reading, slope
from zoo.errors import InputError

ROWS = 64  # rows of one evaluation: small enough for the caches, large enough to keep the cores busy


@reading
def integrated_gradients(
    score: Score, inputs: Tensor, baseline: Tensor | float = 0.0, steps: int = 50, rows: int = ROWS
) -> Tensor:
    """(x - x') * integral over t in 0..1 of d score / d x at x' + t (x - x'), by Gauss-Legendre quadrature.

    The nodes are captum's default, so the values are too; they are evaluated a few at a time and summed as they
    come, where captum expands all steps at once.

    Args:
        score: inputs [k N, ...] -> [k N]; called with the batch repeated k times, block by block.
        inputs: [N, ...].
        baseline: x', the absence of a signal: a number or a tensor that broadcasts to inputs.
        steps: nodes of the quadrature, exact for polynomial scores of degree 2 steps.
        rows: examples times steps evaluated at once; the batch is never split, a score may know its labels.

    Raises:
        InputError: fewer than one step or row, or a baseline of another shape.

    >>> integrated_gradients(lambda x: (x**2).sum(1), torch.tensor([[3.0]])).round(decimals=4).tolist()
    [[9.0]]
    """
    if steps < 1 or rows < 1:
        raise InputError(
            f"integrated_gradients: expected steps >= 1 and rows >= 1, got {steps} and {rows}; 50 and {ROWS} are usual"
        )
    start = baseline_like(baseline, inputs)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    at_once = max(1, rows // len(inputs))
    total = torch.zeros_like(inputs)
    for first in range(0, steps, at_once):
        t = inputs.new_tensor((1 + nodes[first : first + at_once]) / 2)
        w = inputs.new_tensor(weights[first : first + at_once] / 2)
        shape = (-1, *[1] * inputs.dim())
        path = start + t.view(shape) * (inputs - start)
        slopes = slope(score, path.flatten(0, 1)).view(path.shape)
        total += (w.view(shape) * slopes).sum(0)
    return (inputs - start) * total


@reading
def completeness_gap(score: Score, inputs: Tensor, attribution: Tensor, baseline: Tensor | float = 0.0) -> Tensor:
    """sum of an example's attribution - (score(x) - score(x')), [N]: 0 for exact integrated gradients."""
    if attribution.shape != inputs.shape:
        raise InputError(
            f"attribution: expected the inputs' shape {list(inputs.shape)}, got {list(attribution.shape)}; pass its map"
        )
    with torch.no_grad():
        change = checked_score(score, inputs.clone()) - checked_score(score, baseline_like(baseline, inputs))
    return attribution.detach().flatten(1).sum(1) - change


def baseline_like(baseline: Tensor | float, inputs: Tensor) -> Tensor:
    """The baseline, expanded to the inputs.

    Raises:
        InputError: it does not broadcast to them.
    """
    tensor = torch.as_tensor(baseline, dtype=inputs.dtype, device=inputs.device).detach()
    try:
        return tensor.expand_as(inputs).clone()
    except RuntimeError as error:
        raise InputError(
            f"baseline: expected a shape that broadcasts to {list(inputs.shape)}, got {list(tensor.shape)}; mend it"
        ) from error
