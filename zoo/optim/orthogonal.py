"""min over x of |J x - b|^2 + damping x'D x by orthogonal factors, which keep the digits that J'J loses.

J'J squares the condition number: directions whose singular values are below 1e-8 of the largest drown in rounding. By
QR the same is true below 1e-16 only. Golub (1965); Bjorck (1996), section 2.7.

Legend: R = residuals, P = parameters.
"""

import torch
from torch import Tensor

from zoo.optim.normal import pivots


class OrthogonalSystem:
    """J = Q R once, then [R; sqrt(damping D)] = Q' R' for every damping, D the diagonal of J'J.

    Args:
        jacobian_RP: J.

    >>> system = OrthogonalSystem(torch.eye(2))
    >>> system.solve(torch.tensor([1.0, 2.0]), 1.0)
    tensor([0.5000, 1.0000])
    """

    def __init__(self, jacobian_RP: Tensor):
        self._root_P = pivots(jacobian_RP.square().sum(0)).sqrt()
        self._first = torch.geqrf(jacobian_RP / self._root_P)
        self._damped: tuple[float, Tensor, Tensor] | None = None

    def solve(self, b_R: Tensor, damping: float) -> Tensor:
        """x [P]."""
        p = len(self._root_P)
        if self._damped is None or self._damped[0] != damping:
            self._damped = (damping, *self._factored(damping))
        _, factor, scales = self._damped
        top = torch.ormqr(*self._first, b_R[:, None], transpose=True)[:p]
        stacked = torch.cat([top, top.new_zeros(p, 1)])
        rotated = torch.ormqr(factor, scales, stacked, transpose=True)[:p]
        return torch.linalg.solve_triangular(factor[:p].triu(), rotated, upper=True)[:, 0] / self._root_P

    def _factored(self, damping: float) -> tuple[Tensor, Tensor]:
        p = len(self._root_P)
        upper = self._first[0][:p].triu()
        return torch.geqrf(torch.cat([upper, damping**0.5 * torch.eye(p, dtype=upper.dtype)]))
