"""Conjugate gradients for A x = b, A symmetric and positive definite, known by its products only.

Hestenes and Stiefel (1952). Legend: P = unknowns.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Solution(NamedTuple):
    """x, the residual b - A x that is left, and the products it took."""

    x_P: Tensor
    residual_P: Tensor
    iterations: int


def conjugate_gradients(
    product: Callable[[Tensor], Tensor], b_P: Tensor, tolerance: float = 1e-10, limit: int = 10
) -> Solution:
    """The x of the Krylov space that is nearest to the solution in the norm of A.

    Args:
        product: v -> A v.
        b_P: right-hand side.
        tolerance: of |b - A x| relative to |b|, where the iterations end.
        limit: of iterations; without rounding P suffice.

    >>> conjugate_gradients(lambda v: torch.tensor([1.0, 4.0]) * v, torch.ones(2)).x_P
    tensor([1.0000, 0.2500])
    """
    x_P, residual_P, direction_P = torch.zeros_like(b_P), b_P.clone(), b_P.clone()
    size = float(b_P @ b_P)
    goal = size * tolerance**2
    for iteration in range(limit):
        if not size > goal:
            return Solution(x_P, residual_P, iteration)
        image_P = product(direction_P)
        bent = float(direction_P @ image_P)
        if not bent > 0:  # rounding, or no curvature along here: what is known so far is the answer
            return Solution(x_P, residual_P, iteration)
        x_P += size / bent * direction_P
        residual_P -= size / bent * image_P
        size, before = float(residual_P @ residual_P), size
        direction_P = residual_P + size / before * direction_P
    return Solution(x_P, residual_P, limit)
