"""Gradients that are there for some rows of a table alone, such as an embedding's.

Legend: V = rows of a table, U = rows that the gradient touches.
"""

from torch import Tensor
from torch.optim import SGD, Adagrad, Optimizer, SparseAdam

from zoo.errors import InputError


def touched(gradient: Tensor) -> Tensor:
    """The gradient's numbers that need not be zero, sharing its memory: the rows [U, ...], or all of a dense one.

    >>> import torch
    >>> rows = torch.sparse_coo_tensor([[4, 1]], torch.tensor([[2.0], [3.0]]), (5, 1), check_invariants=True).coalesce()
    >>> touched(rows).tolist(), touched(torch.ones(2)).tolist()
    ([[3.0], [2.0]], [1.0, 1.0])
    """
    return gradient.values() if gradient.is_sparse else gradient


def touched_rows(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The parameter where `touched` has its gradient."""
    return parameter[gradient.indices()[0]] if gradient.is_sparse else parameter


def dense(gradient: Tensor) -> Tensor:
    """A copy with all rows."""
    return gradient.to_dense() if gradient.is_sparse else gradient.clone()


def coalesced_parameters(optimizer: Optimizer) -> list[Tensor]:
    """The parameters of `optimizer` that have a gradient; each row of a sparse one is there once afterwards.

    Raises:
        InputError: a sparse gradient that the optimiser cannot use.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    for parameter in parameters:
        if parameter.grad.is_sparse:
            if not takes_sparse(optimizer):
                raise InputError(
                    f"model.optimizer: expected one that takes sparse gradients, got {type(optimizer).__name__}; "
                    "choose zoo.optim.LazyAdam or LazyAdadelta, or leave out sparse in model.net"
                )
            parameter.grad = parameter.grad.coalesce()
    return parameters


def takes_sparse(optimizer: Optimizer) -> bool:
    """Whether the optimiser can step with a sparse gradient."""
    return getattr(optimizer, "takes_sparse", False) or type(optimizer) in (SGD, Adagrad, SparseAdam)
