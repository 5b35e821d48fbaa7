"""Copies of parameters, one a point: the gradient to a point's copy is that point's row of the Jacobian.

Outside of `copies_per_point` parameters are what they are. Legend: N points, F and G features.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from zoo.errors import InputError


@dataclass(frozen=True)
class ParameterCopies:
    """A parameter and its copies [N, *shape]."""

    parameter: Tensor
    copies: Tensor


_COPIES: ContextVar[dict[int, ParameterCopies] | None] = ContextVar("copies of parameters", default=None)


@contextmanager
def copies_per_point() -> Iterator[dict[int, ParameterCopies]]:
    """Inside the block parameters that meet points are copied; the copies carry the gradient."""
    found: dict[int, ParameterCopies] = {}
    token = _COPIES.set(found)
    try:
        yield found
    finally:
        _COPIES.reset(token)


def per_point(parameter: Tensor, points: int) -> Tensor:
    """A parameter as [N, *shape], so that its columns of the Jacobian are the gradients to the copies.

    >>> per_point(torch.tensor(2.0), 3)
    tensor([2., 2., 2.])
    """
    if not _is_copied(parameter):
        return parameter.expand(points, *parameter.shape)
    found = _COPIES.get()
    if id(parameter) not in found:
        copies = parameter.detach().expand(points, *parameter.shape).clone().requires_grad_()
        found[id(parameter)] = ParameterCopies(parameter, copies)
    copies = found[id(parameter)].copies
    if len(copies) != points:
        raise InputError(
            f"per_point: expected one number of points in a residual, got {len(copies)} and {points}; make it two"
        )
    return copies


def beside(parameter: Any, points: int, dimensions: int) -> Any:
    """A parameter that meets a tensor [N, ...] of so many dimensions in an elementwise operation, copied if it must be.

    Anything else is returned as it is.
    """
    if not _is_copied(parameter):
        return parameter
    ones = [1] * max(0, dimensions - 1 - parameter.dim())
    return per_point(parameter, points).reshape(points, *ones, *parameter.shape)


def _is_copied(parameter: Any) -> bool:
    return isinstance(parameter, nn.Parameter) and parameter.requires_grad and _COPIES.get() is not None


class CopiedParameters(TorchFunctionMode):
    """Plain tensors [N, F] meet copies of weights and of parameters in sums, products and their like.

    A linear layer becomes one product a point, so that nested derivatives of it give rows of the Jacobian, too.
    """

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Replace the parameters, where they can be."""
        kwargs = kwargs or {}
        if _COPIES.get() is not None:
            if func is functional.linear and isinstance(args[0], Tensor) and args[0].dim() == 2:
                return _linear(*args, **kwargs)
            if getattr(func, "__name__", "") in _ELEMENTWISE and len(args) == 2:
                args = _both(*args)
        return func(*args, **kwargs)


_ELEMENTWISE = frozenset(
    name.format(operation)
    for operation in ("add", "sub", "mul", "div", "truediv", "true_divide")
    for name in ("{}", "__{}__", "__r{}__")
)


def _both(a: Any, b: Any) -> tuple[Any, Any]:
    if isinstance(b, Tensor) and not isinstance(b, nn.Parameter) and b.dim():
        return beside(a, len(b), b.dim()), b
    if isinstance(a, Tensor) and not isinstance(a, nn.Parameter) and a.dim():
        return a, beside(b, len(a), a.dim())
    return a, b


def _linear(x_NF: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    out_NG = torch.bmm(per_point(weight, len(x_NF)), x_NF[:, :, None])[:, :, 0]
    return out_NG if bias is None else out_NG + per_point(bias, len(x_NF))
