"""Jacobian of every point's residual to every parameter, for the price of a few gradients.

In a net of linear layers the derivative of point n's residual to a weight is an outer product of what the layer got
and what is propagated back to its output, summed over the derivatives that the jet carries:

    dr_n / dW = sum_c delta_cn a_cn'.

Both factors come from one forward and one backward pass of all points together, because a point's residual depends
on no other point. Other parameters are copied, one copy a point: a PDE's constants by `per_point`, those that jets meet
in sums and products by themselves, and all of them where derivatives are nested autograd's.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from zoo.derivatives.jets import LinearCall, linear_calls
from zoo.derivatives.per_point import ParameterCopies, copies_per_point
from zoo.errors import InputError


@torch.enable_grad()
def residual_jacobian(residuals: Callable[[], Tensor], parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """(residuals [N, K], Jacobian [N * K, P]) at the parameters as they are; row n * K + k is residual k of point n.

    The Jacobian lies in memory column by column: that is how its outer products are written fastest, and how LAPACK
    wants it.

    Args:
        residuals: computes [N, K] (or [N]) from the parameters; row n may depend on point n alone.
        parameters: their entries, flattened in this order, are the columns.

    Raises:
        InputError: a parameter that acts on the residuals in another way than those above.
    """
    with linear_calls() as calls, copies_per_point() as copies:
        rows = residuals()
    rows_NK = rows[:, None] if rows.dim() == 1 else rows
    n, k = rows_NK.shape
    jacobian_PNK = rows_NK.new_empty(sum(parameter.numel() for parameter in parameters), n, k)
    for column in range(k):
        factors = outer_factors(rows_NK[:, column], calls, list(copies.values()), parameters, keep=column + 1 < k)
        blocks = jacobian_PNK[:, :, column].split([parameter.numel() for parameter in parameters])
        for parameter, block_PN in zip(parameters, blocks, strict=True):
            _write(block_PN, factors.get(id(parameter), []))
    return rows_NK.detach(), jacobian_PNK.flatten(1).t()


# left [G, N] and right [F, N], whose products are entries [G * F, N] of a block; right None stands for ones, F = 1
Factors = tuple[Tensor, Tensor | None]


def outer_factors(
    rows_N: Tensor, calls: list[LinearCall], copies: list[ParameterCopies], parameters: Sequence[Tensor], keep: bool
) -> dict[int, list[Factors]]:
    """Identity of a parameter -> the factors whose products add up to its block."""
    wanted = [*(call.outputs_CNG for call in calls), *(one.copies for one in copies), *parameters]
    if not wanted or not rows_N.requires_grad:
        return {}
    found = list(torch.autograd.grad(rows_N.sum(), wanted, allow_unused=True, retain_graph=keep))
    _refuse_others(found[len(calls) + len(copies) :])
    factors: dict[int, list[Factors]] = {}
    for call, delta_CNG in zip(calls, found, strict=False):
        if delta_CNG is not None:
            delta_CGN = delta_CNG.transpose(1, 2)
            pairs = zip(delta_CGN, call.inputs_CNF.transpose(1, 2), strict=True)
            factors.setdefault(id(call.weight), []).extend(pairs)
            factors.setdefault(id(call.bias), []).append((delta_CGN[0], None))
    for one, gradient in zip(copies, found[len(calls) :], strict=False):
        if gradient is not None:
            factors.setdefault(id(one.parameter), []).append((gradient.reshape(len(gradient), -1).t(), None))
    return factors


def _refuse_others(gradients: Sequence[Tensor | None]) -> None:
    if any(gradient is not None for gradient in gradients):
        raise InputError(
            "Jacobian: expected every parameter to be a weight of a linear layer, to enter through per_point or by a "
            "sum or product with a jet, got another one; freeze it, or take per_example_jacobian or another optimiser"
        )


def _write(block_PN: Tensor, factors: list[Factors]) -> None:
    # The first product is written, not added, so that the Jacobian need not be zeroed first.
    if not factors:
        block_PN.zero_()
    for index, (left_GN, right_FN) in enumerate(factors):
        if right_FN is None:
            block_PN.copy_(left_GN) if index == 0 else block_PN.add_(left_GN)
            continue
        block_GFN = block_PN.unflatten(0, (len(left_GN), len(right_FN)))
        if index == 0:
            torch.mul(left_GN[:, None], right_FN[None], out=block_GFN)
        else:
            block_GFN.addcmul_(left_GN[:, None], right_FN[None])
