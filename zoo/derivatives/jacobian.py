"""Jacobian of every point's residual to every parameter, for the price of a few gradients.

In a net of linear layers the derivative of point n's residual to a weight is an outer product of what the layer got
and what is propagated back to its output, summed over the derivatives that the jet carries:

    dr_n / dW = sum_c delta_cn a_cn'.

Both factors come from one forward and one backward pass of all points together, because a point's residual depends
on no other point. Parameters that are not weights of linear layers (a PDE's constants) enter through `per_point`.
"""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from zoo.derivatives.jets import LinearCall, linear_calls
from zoo.errors import InputError

_COPIES: ContextVar[dict[int, list[Tensor]] | None] = ContextVar("copies of scalar parameters", default=None)


def per_point(parameter: Tensor, points: int) -> Tensor:
    """A scalar parameter as [N], one copy a point, so that its column of the Jacobian is the gradient to the copies."""
    copies = _COPIES.get()
    if copies is None or not (isinstance(parameter, nn.Parameter) and parameter.requires_grad):
        return parameter.expand(points)
    copy = parameter.detach().expand(points).clone().requires_grad_()
    copies.setdefault(id(parameter), []).append(copy)
    return copy


def residual_jacobian(residuals: Callable[[], Tensor], parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """(residuals [N, K], Jacobian [N * K, P]) at the parameters as they are; row n * K + k is residual k of point n.

    The Jacobian lies in memory column by column: that is how its outer products are written fastest, and how LAPACK
    wants it.

    Args:
        residuals: computes [N, K] (or [N]) from the parameters; row n may depend on point n alone.
        parameters: their entries, flattened in this order, are the columns.

    Raises:
        InputError: a parameter that acts on the residuals by another way than a linear layer or `per_point`.
    """
    with torch.enable_grad(), linear_calls() as calls, _copies() as copies:
        rows = residuals()
    rows_NK = rows[:, None] if rows.dim() == 1 else rows
    n, k = rows_NK.shape
    offsets, width = _columns(parameters)
    jacobian_PNK = rows_NK.new_empty(width, n, k)
    outputs = [call.outputs_CNG for call in calls]
    singles = [(key, copy) for key, several in copies.items() for copy in several]
    others = [p for p in parameters if id(p) not in offsets_of(calls) and id(p) not in copies]
    wanted = [*outputs, *(copy for _, copy in singles), *others]
    for column in range(k):
        got = _gradients(rows_NK[:, column], wanted, keep=column + 1 < k)
        _refuse_others(got[len(outputs) + len(singles) :])
        jacobian_PN, written = jacobian_PNK[:, :, column], set()
        pairs = zip(calls, got, strict=False)  # a weight's calls follow each other: its block is in the cache then
        for call, delta_CNG in sorted(pairs, key=lambda pair: offsets.get(id(pair[0].weight), 0)):
            if delta_CNG is not None:
                _add_linear(jacobian_PN, call, delta_CNG, offsets, written)
        for (key, _), gradient_N in zip(singles, got[len(outputs) :], strict=False):
            if gradient_N is not None and key in offsets:
                _add(jacobian_PN[offsets[key]], gradient_N, written, key)
        for parameter in parameters:
            if id(parameter) not in written:
                jacobian_PN[offsets[id(parameter)] :][: parameter.numel()] = 0
    return rows_NK.detach(), jacobian_PNK.view(width, n * k).t()


@contextmanager
def _copies():
    copies: dict[int, list[Tensor]] = {}
    token = _COPIES.set(copies)
    try:
        yield copies
    finally:
        _COPIES.reset(token)


def offsets_of(calls: list[LinearCall]) -> set[int]:
    """Identities of the weights and biases that the calls used."""
    return {id(tensor) for call in calls for tensor in (call.weight, call.bias) if tensor is not None}


def _columns(parameters: Sequence[Tensor]) -> tuple[dict[int, int], int]:
    offsets, width = {}, 0
    for parameter in parameters:
        offsets[id(parameter)] = width
        width += parameter.numel()
    return offsets, width


def _refuse_others(gradients: Sequence[Tensor | None]) -> None:
    if any(gradient is not None for gradient in gradients):
        raise InputError(
            "Jacobian: expected every parameter to be a weight of a linear layer or to enter through per_point, got "
            "another one; freeze it, or take an optimiser that needs no Jacobian"
        )


def _gradients(rows_N: Tensor, wanted: list[Tensor], keep: bool) -> Sequence[Tensor | None]:
    if not wanted or not rows_N.requires_grad:
        return [None] * len(wanted)
    return torch.autograd.grad(rows_N.sum(), wanted, allow_unused=True, retain_graph=keep)


def _add_linear(
    jacobian_PN: Tensor, call: LinearCall, delta_CNG: Tensor, offsets: dict[int, int], written: set[int]
) -> None:
    g, f = call.weight.shape
    delta_CGN = delta_CNG.transpose(1, 2)
    if id(call.weight) in offsets:
        block_GFN = jacobian_PN[offsets[id(call.weight)] :][: g * f].unflatten(0, (g, f))
        for delta_GN, inputs_FN in zip(delta_CGN, call.inputs_CNF.transpose(1, 2), strict=True):
            if id(call.weight) in written:
                block_GFN.addcmul_(delta_GN[:, None], inputs_FN[None])
            else:
                torch.mul(delta_GN[:, None], inputs_FN[None], out=block_GFN)
                written.add(id(call.weight))
    if call.bias is not None and id(call.bias) in offsets:
        _add(jacobian_PN[offsets[id(call.bias)] :][:g], delta_CGN[0], written, id(call.bias))


def _add(block: Tensor, part: Tensor, written: set[int], key: int) -> None:
    # The first part is written, not added, so that the Jacobian need not be zeroed first.
    if key in written:
        block += part
    else:
        block.copy_(part)
        written.add(key)
