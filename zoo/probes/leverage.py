"""How much each residual alone decides the fit: where a point is worth having. Legend: R residuals, P parameters."""

import torch
from torch import Tensor

from zoo.derivatives import gram
from zoo.errors import InputError


def leverage_scores(jacobian_RP: Tensor, damping: float = 0.0) -> Tensor:
    """[R], the diagonal of J (J'J + damping I)^-1 J'; between 0 and 1, summing to the effective number of parameters.

    By the singular values of J, which squares no condition number; directions below rounding count as absent.

    Args:
        jacobian_RP: of residuals to parameters.
        damping: ridge; 0 gives the classical scores.

    Raises:
        InputError: a negative damping.

    >>> leverage_scores(torch.tensor([[1.0], [2.0]])).tolist()
    [0.20000000298023224, 0.800000011920929]
    """
    if damping < 0:
        raise InputError(f"leverage_scores.damping: expected 0 or more, got {damping}; raise it")
    left_RK, singular_K, _ = torch.linalg.svd(jacobian_RP, full_matrices=False)
    squares_K = singular_K.square()
    rank = singular_K > max(jacobian_RP.shape) * torch.finfo(singular_K.dtype).eps * singular_K.max()
    shares_K = torch.where(rank, squares_K / (squares_K + damping).clamp(min=1e-300), 0.0)
    return left_RK.square() @ shares_K


def ridge_leverage_scores(jacobian_RP: Tensor, share: float = 1e-9) -> Tensor:
    """[R], `leverage_scores` with share times the trace of J'J as damping, by Cholesky's factor of J'J.

    Several times faster than by singular values, and right to rounding / share: enough to draw by. Where the factor
    fails, singular values are taken.

    Args:
        jacobian_RP: of residuals to parameters.
        share: above 0; directions whose squared singular value is below that share count less.

    Raises:
        InputError: a share that is not positive.

    >>> ridge_leverage_scores(torch.tensor([[1.0], [2.0]]), 1.0).tolist()
    [0.10000000149011612, 0.4000000059604645]
    """
    if share <= 0:
        raise InputError(f"ridge_leverage_scores.share: expected more than 0, got {share}; raise it")
    matrix_PP = gram(jacobian_RP)
    damping = share * float(matrix_PP.trace())
    matrix_PP.diagonal().add_(damping)
    factor_PP, failed = torch.linalg.cholesky_ex(matrix_PP)
    if int(failed):
        return leverage_scores(jacobian_RP, damping)
    return torch.linalg.solve_triangular(factor_PP, jacobian_RP.t(), upper=False).square().sum(0)
