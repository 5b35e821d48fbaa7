"""Rows that training makes small: of the equation, of a condition, and what is observed of a solution.

Legend: N = points, D = coordinates, E = equations, K = observables.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tasks.pde.fields import rows_at
from tasks.pde.problem import Condition
from zoo.derivatives import Jet, derivatives_of
from zoo.errors import InputError

if TYPE_CHECKING:
    from tasks.pde.ansatz import Ansatz


def slope(u: Jet) -> Tensor:
    """[N]: length of the gradient of all fields along the coordinates but time, as far as the jet carries it."""
    along = [c for c in u.space.space if c in u.space.names]
    if not along:
        return torch.zeros_like(u[""][:, 0])
    return torch.cat([u[c] for c in along], 1).square().sum(1).clamp(min=1e-30).sqrt()


def equation_rows(net: "Ansatz", points_ND: Tensor, slope_weight: float = 0.0) -> Tensor:
    """[N, E]: the equation's residual / sqrt(1 + (slope_weight |grad u|)^2)."""
    u = derivatives_of(net, points_ND, net.problem.space)
    rows_NE = net.problem.residual(u, points_ND, net.constants(len(points_ND)))
    return rows_NE / (1 + (slope_weight * slope(u)) ** 2).sqrt()[:, None] if slope_weight else rows_NE


def condition_rows(net: "Ansatz", condition: Condition, points_ND: Tensor) -> Tensor:
    """[N, E]: how far a condition is from being met; after the coordinates points may carry a normal."""
    space = net.problem.space_asked(condition.residual, "condition", normal=condition.on_boundary)
    u = derivatives_of(net, points_ND[:, : len(space.coordinates)], space)
    return rows_at(condition.residual, u, points_ND, net.constants(len(points_ND)))


def observed_rows(net: "Ansatz", points_ND: Tensor) -> Tensor:
    """[N, K]: what the problem observes of a solution."""
    space = net.problem.space_asked(net.problem.observed, "observed", constants=False)
    return rows_at(net.problem.observed, derivatives_of(net, points_ND, space), points_ND, {})


@torch.no_grad()
def refuse_coupled(rows_of: Callable[[Tensor], Tensor], points_ND: Tensor, what: str) -> None:
    """Refuse rows that change with what other points there are: their Jacobian would be wrong without a word.

    Raises:
        InputError: the first two points have other rows among all than by themselves.
    """
    among_NE, alone_NE = rows_of(points_ND), rows_of(points_ND[:2])
    # Products of other sizes round differently, and high derivatives lose digits.
    tolerance = torch.finfo(among_NE.dtype).eps ** (1 / 3) * float(among_NE.abs().max())
    if float((among_NE[:2] - alone_NE).abs().max()) > tolerance:
        raise InputError(
            f"{what}: expected row n to depend on point n alone, as least squares needs, got rows that change with the "
            "other points; leave means and sums over the points out, or take Adam or BFGS"
        )
