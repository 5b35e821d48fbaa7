"""The heads of a DeepONet by least squares: G(u)(y) = phi(u)' M psi(y) is linear in M for given hidden layers.

    min over M of  |R(s)|^2 + ridge^2 |phi|^2 |M psi|^2,   s = start + phi' M psi,

R the misfit to data, or the residual of an equation, of every function and point. Gauss-Newton in M; the normal matrix
of points shared by all functions is close to a Kronecker product, so that in orthonormal coordinates of both factors
conjugate gradients need one iteration for data and a few for an equation. An SVD then gives the heads, their terms in
falling order of weight. Kronecker: Van Loan (2000); random hidden layers and linear heads: Fabiani et al. (2025).

Legend: B = functions, Q = points, C = derivatives, H / F = features of branch / trunk, R / S = their coordinates.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from tasks.pde.operators.ansatz import combined
from zoo.errors import InputError

Residual = Callable[[Tensor], Tensor]  # s [C, B, Q] -> [B, Q], each entry of its own function and point alone


def least_squares_core(
    residual: Residual,
    branch_BH: Tensor,
    trunk: Tensor,
    start_CBQ: Tensor,
    ridge: float = 1e-9,
    cutoff: float = 1e-11,
    steps: int = 8,
) -> tuple[Tensor, Tensor]:
    """(left [H, S], right [F, S]) with M = left right'.

    Args:
        residual: pointwise in functions and points.
        branch_BH: features of the functions.
        trunk: features of shared points [C, Q, F], or of each function's own [C, B, Q, F].
        start_CBQ: the solution at M = 0.
        ridge: relative to the largest singular value of the branch's features.
        cutoff: smallest singular value of the trunk's features that is used, relative to the largest.
        steps: at most, of Gauss-Newton.

    Raises:
        InputError: a solution that is not finite.
    """
    basis_BR, left_HR, penalty_R1 = _branch_basis(branch_BH, ridge)
    rows_BQ, slopes_CBQ = _linearised(residual, start_CBQ)
    right_FS = _trunk_basis(slopes_CBQ, trunk, cutoff)
    features = trunk @ right_FS
    core_RS = start_CBQ.new_zeros(basis_BR.shape[1], right_FS.shape[1])
    first = None
    for _ in range(steps):
        gradient_RS = _adjoint(basis_BR, slopes_CBQ * rows_BQ, features) + penalty_R1**2 * core_RS
        size = float(gradient_RS.norm())
        first = first or size
        if not size > 1e-11 * first:
            break
        core_RS = core_RS + _conjugate_gradients(basis_BR, slopes_CBQ, features, penalty_R1, -gradient_RS)
        rows_BQ, slopes_CBQ = _linearised(residual, start_CBQ + combined(basis_BR @ core_RS, features))
    if not torch.isfinite(core_RS).all():
        raise InputError("model.heads: expected a finite solution of least squares, got NaN; raise the ridge")
    return left_HR @ core_RS, right_FS


def _branch_basis(branch_BH: Tensor, ridge: float) -> tuple[Tensor, Tensor, Tensor]:
    """(U [B, R], left [H, R], penalty [R, 1]): phi left = U, and U'U + penalty^2 = 1."""
    u_BR, s_R, vh_RH = torch.linalg.svd(branch_BH, full_matrices=False)
    damping = max(ridge, torch.finfo(s_R.dtype).eps) * s_R[0]
    damped_R = (s_R**2 + damping**2).sqrt()
    return u_BR * (s_R / damped_R), vh_RH.t() / damped_R, (damping / damped_R)[:, None]


def _trunk_basis(slopes_CBQ: Tensor, trunk: Tensor, cutoff: float) -> Tensor:
    """[F, S] that makes the linearised features orthonormal over the points, at the mean slope of all functions."""
    if trunk.dim() == 3:
        rows_NF = (slopes_CBQ.mean(1)[:, :, None] * trunk).sum(0)
    else:  # a mean over functions of what is summed for each, so that U and this basis weigh the same
        rows_NF = (slopes_CBQ[..., None] * trunk).sum(0).flatten(0, 1) / len(trunk[0]) ** 0.5
    _, s, vh = torch.linalg.svd(rows_NF, full_matrices=False)
    kept = s > max(cutoff, 10 * torch.finfo(s.dtype).eps) * s[0]
    return vh[kept].t() / s[kept]


def _linearised(residual: Residual, s_CBQ: Tensor) -> tuple[Tensor, Tensor]:
    """(residual [B, Q], its derivative to every entry of s [C, B, Q])."""
    with torch.enable_grad():
        s_CBQ = s_CBQ.detach().requires_grad_()
        rows_BQ = residual(s_CBQ)
        (slopes_CBQ,) = torch.autograd.grad(rows_BQ.sum(), s_CBQ)
    return rows_BQ.detach(), slopes_CBQ


def _adjoint(basis_BR: Tensor, rows_CBQ: Tensor, features: Tensor) -> Tensor:
    """[R, S]: the transpose of core -> combined(basis core, features)."""
    if features.dim() == 3:
        return (basis_BR.t() @ rows_CBQ @ features).sum(0)
    return basis_BR.t() @ torch.einsum("cbq,cbqs->bs", rows_CBQ, features)


def _conjugate_gradients(
    basis_BR: Tensor, slopes_CBQ: Tensor, features: Tensor, penalty_R1: Tensor, right_RS: Tensor, most: int = 60
) -> Tensor:
    """x [R, S] of (J'J + penalty^2) x = right, to a part in 1e6: what is left is for the next Gauss-Newton step."""
    x_RS, left_RS, direction_RS = torch.zeros_like(right_RS), right_RS, right_RS
    size = first = float((right_RS**2).sum())
    for _ in range(most):
        moved_BQ = (slopes_CBQ * combined(basis_BR @ direction_RS, features)).sum(0)
        image_RS = _adjoint(basis_BR, slopes_CBQ * moved_BQ, features) + penalty_R1**2 * direction_RS
        length = size / float((direction_RS * image_RS).sum())
        x_RS, left_RS = x_RS + length * direction_RS, left_RS - length * image_RS
        before, size = size, float((left_RS**2).sum())
        if size <= 1e-12 * first:
            break
        direction_RS = left_RS + (size / before) * direction_RS
    return x_RS


def balanced(
    left_HS: Tensor, right_FS: Tensor, branch_BH: Tensor, trunk_NF: Tensor, terms: int
) -> tuple[Tensor, Tensor]:
    """(left [H, P], right [F, P]): the product of at most P terms that is nearest to left right' in its values on these
    functions and points, the largest term first."""
    r_left = torch.linalg.qr(branch_BH @ left_HS, mode="r").R
    r_right = torch.linalg.qr(trunk_NF @ right_FS, mode="r").R
    _, weights, vh = torch.linalg.svd(r_left @ r_right.t(), full_matrices=False)
    kept = weights[:terms] > 10 * torch.finfo(weights.dtype).eps * weights[0]
    chosen_SP, root_P = vh[:terms][kept].t(), weights[:terms][kept].sqrt()
    right_SP = torch.linalg.lstsq(r_right, chosen_SP * root_P).solution
    return left_HS @ (r_right.t() @ chosen_SP / root_P), right_FS @ right_SP
