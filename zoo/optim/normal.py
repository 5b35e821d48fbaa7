"""min over x of |J x - b|^2 + damping x'D x by Cholesky's factor of J'J + damping D.

Legend: R = residuals, P = parameters.
"""

import torch
from torch import Tensor

from zoo.derivatives.gram import gram


def pivots(diagonal_P: Tensor) -> Tensor:
    """[P]: a diagonal whose smallest entries are raised: a parameter without any effect still needs a pivot."""
    return diagonal_P.clamp(min=1e-12 * float(diagonal_P.max().clamp(min=1e-300)))


class NormalSystem:
    """min over x of |J x - b|^2 + x' (earlier + damping D) x by Cholesky's factor, D the diagonal of what is damped."""

    def __init__(self, jacobian_RP: Tensor, earlier_PP: Tensor | float = 0.0):
        self._jacobian_RP = jacobian_RP
        self.matrix_PP = gram(jacobian_RP) + earlier_PP
        self._scale_P = pivots(self.matrix_PP.diagonal())
        self._factored: tuple[float, Tensor | None] | None = None

    def solve(self, b_R: Tensor, damping: float) -> Tensor | None:
        """x [P], or None where rounding makes the matrix indefinite."""
        return self.solve_normal(self._jacobian_RP.t() @ b_R, damping)

    def solve_normal(self, b_P: Tensor, damping: float) -> Tensor | None:
        """The same for J'b given."""
        if self._factored is None or self._factored[0] != damping:
            damped_PP = self.matrix_PP.clone()
            damped_PP.diagonal().add_(damping * self._scale_P)
            factor, failed = torch.linalg.cholesky_ex(damped_PP)
            self._factored = (damping, None if int(failed) else factor)
        factor = self._factored[1]
        return None if factor is None else torch.cholesky_solve(b_P[:, None], factor)[:, 0]
