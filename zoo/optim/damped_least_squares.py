"""min over x of |J x - b|^2 + x' diag(damp) x, with J only as products, or by way of as many unknowns as residuals.

Legend: R = residuals, P = parameters. J is a matrix or anything with `J @ v` and `J.t() @ u`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def by_conjugate_gradients(
    jacobian: Any,
    b_R: Tensor,
    damp_P: Tensor,
    preconditioned: Callable[[Tensor], Tensor],
    tolerance: float,
    limit: int,
) -> tuple[Tensor, int]:
    """(x [P], iterations), by conjugate gradients on the normal equations in their stable form.

    The residual b - J x is what is carried on, not that of the normal equations, whose recursion would square the
    condition number a second time: Bjorck (1996), algorithm 7.4.1 (CGLS), preconditioned.

    Args:
        jacobian: J.
        b_R: right-hand side.
        damp_P: damping of every parameter.
        preconditioned: v -> M^-1 v, M symmetric, definite and near J'J + diag(damp) up to a factor.
        tolerance: of the gradient of the objective, relative to its start, in the norm of M^-1.
        limit: of iterations.

    >>> x, n = by_conjugate_gradients(torch.eye(2), torch.ones(2), torch.ones(2), lambda v: v, 1e-6, 9)
    >>> x.tolist(), n
    ([0.5, 0.5], 1)
    """
    x_P, rest_R = torch.zeros_like(damp_P), b_R.clone()
    slope_P = jacobian.t() @ rest_R
    scaled_P = preconditioned(slope_P)
    direction_P, size = scaled_P.clone(), float(slope_P @ scaled_P)
    goal = size * tolerance**2
    for iteration in range(limit):
        if not size > goal:
            return x_P, iteration
        image_R = jacobian @ direction_P
        bent = float(image_R @ image_R) + float(direction_P @ (damp_P * direction_P))
        step = size / bent
        x_P += step * direction_P
        rest_R -= step * image_R
        slope_P = jacobian.t() @ rest_R - damp_P * x_P
        scaled_P = preconditioned(slope_P)
        size, before = float(slope_P @ scaled_P), size
        direction_P = scaled_P + (size / before) * direction_P
    return x_P, limit


class KernelSystem:
    """The same minimum by (J D^-1 J' + damping) u = b, x = D^-1 J'u, for damp = damping D: [R, R] in place of [P, P].

    Args:
        jacobian: has `column_blocks` too, so that no more than the columns of one parameter are held at a time.
        scale_P: D, positive.
        residuals: R.
    """

    def __init__(self, jacobian: Any, scale_P: Tensor, residuals: int):
        self._jacobian, self._scale_P = jacobian, scale_P
        self._kernel_RR = scale_P.new_zeros(residuals, residuals)
        for columns, block_RC in jacobian.column_blocks():
            self._kernel_RR.addmm_(block_RC / scale_P[columns], block_RC.t())
        self._factored: tuple[float, Tensor | None] = (float("nan"), None)

    def solve(self, b_R: Tensor, damping: float) -> Tensor | None:
        """x [P], or None where rounding makes the kernel indefinite."""
        if self._factored[0] != damping:
            damped_RR = self._kernel_RR.clone()
            damped_RR.diagonal().add_(damping)
            factor, failed = torch.linalg.cholesky_ex(damped_RR)
            self._factored = (damping, None if int(failed) else factor)
        factor = self._factored[1]
        if factor is None:
            return None
        return (self._jacobian.t() @ torch.cholesky_solve(b_R[:, None], factor)[:, 0]) / self._scale_P
