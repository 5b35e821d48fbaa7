"""Sums over points, a few points at a time: the memory is that of one chunk, whatever the number of points."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.derivatives.gram import gram
from zoo.derivatives.jacobian import residual_jacobian
from zoo.errors import InputError


def chunked_sum(
    sum_of: Callable[[Tensor], Tensor], points_ND: Tensor, parameters: Sequence[Tensor], chunk: int
) -> Tensor:
    """sum_of(all points), with its gradient to the parameters found at the same time, chunk by chunk.

    The gradient is kept for `backward`, so that the number serves as a loss like any other; it cannot be differentiated
    twice.

    Args:
        sum_of: points [M, D] -> a number that is a sum over them, such as `residual.square().sum()`.
        points_ND: all of them.
        parameters: those that require gradients.
        chunk: points at a time; see `chunk_within`.

    Raises:
        InputError: a chunk below one point.

    >>> w = torch.tensor(2.0, requires_grad=True)
    >>> total = chunked_sum(lambda x: (w * x).square().sum(), torch.ones(5, 1), [w], chunk=2)
    >>> total.backward()
    >>> total.item(), w.grad.item()
    (20.0, 20.0)
    """
    _refuse(chunk)
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    return _ChunkedSum.apply(sum_of, points_ND, chunk, *trained)


class _ChunkedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sum_of: Callable, points_ND: Tensor, chunk: int, *parameters: Tensor) -> Tensor:
        total = points_ND.new_zeros((), dtype=parameters[0].dtype if parameters else points_ND.dtype)
        gradients = [torch.zeros_like(parameter) for parameter in parameters]
        for part_ND in points_ND.split(chunk):
            with torch.enable_grad():
                term = sum_of(part_ND)
                found = torch.autograd.grad(term, parameters, materialize_grads=True) if parameters else ()
            total += term.detach()
            for gradient, more in zip(gradients, found, strict=True):
                gradient += more
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, None, *(grad * gradient for gradient in ctx.saved_tensors)


def normal_equations(
    residuals_of: Callable[[Tensor], Tensor], points_ND: Tensor, parameters: Sequence[Tensor], chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    """(J'J [P, P], J'r [P], r'r), without the Jacobian of all points ever being there.

    Args:
        residuals_of: points [M, D] -> residuals [M, K], as in `residual_jacobian`.
        points_ND: all of them.
        parameters: the columns.
        chunk: points at a time.
    """
    _refuse(chunk)
    width = sum(parameter.numel() for parameter in parameters)
    matrix_PP, gradient_P = parameters[0].new_zeros(width, width), parameters[0].new_zeros(width)
    cost = gradient_P.new_zeros(())
    for part_ND in points_ND.split(chunk):
        rows_NK, jacobian_RP = residual_jacobian(lambda part_ND=part_ND: residuals_of(part_ND), parameters)
        matrix_PP += gram(jacobian_RP)
        gradient_P += jacobian_RP.t() @ rows_NK.flatten()
        cost += rows_NK.square().sum()
    return matrix_PP.detach(), gradient_P.detach(), cost.detach()


def chunk_within(memory: int, sum_of: Callable[[Tensor], Tensor], points_ND: Tensor, probe: int = 64) -> int:
    """Points a chunk whose graph stays within so many bytes, from what a few of them save for the backward pass.

    Half of the memory is left to the backward pass's own temporaries.
    """
    saved: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    few_ND = points_ND[:probe]
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        sum_of(few_ND)
    return max(1, min(len(points_ND), int(memory / 2 / (max(1, sum(saved.values())) / len(few_ND)))))


def _refuse(chunk: int) -> None:
    if chunk < 1:
        raise InputError(f"chunk: expected 1 point or more, got {chunk}; raise it")
