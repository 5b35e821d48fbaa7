"""What least-squares methods ask of their closure: residuals and their Jacobian."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.errors import InputError
from zoo.optim.flat import trained_parameters

# () -> (residuals [R], Jacobian [R, P]) with gradients on, (residuals [R], None) under torch.no_grad(). The Jacobian is
# a matrix, or products with one (`zoo.derivatives.jacobian_products`) for optimisers that say `wants_products`.
Linearised = Callable[[], tuple[Tensor, Any]]


def linearised(closure: Linearised | None, optimizer: Optimizer) -> tuple[Tensor, Any]:
    """Residuals and Jacobian at the parameters as they are.

    Raises:
        InputError: no closure, or a Jacobian of another shape.
    """
    name = type(optimizer).__name__
    if closure is None:
        raise InputError(f"{name}.step: expected a closure that returns residuals and Jacobian, got none; pass one")
    with torch.enable_grad():
        residuals_R, jacobian = closure()
    expected = (len(residuals_R), sum(parameter.numel() for parameter in trained_parameters(optimizer)))
    if jacobian is None or tuple(jacobian.shape) != expected:
        found = None if jacobian is None else list(jacobian.shape)
        raise InputError(f"{name}.step: expected a Jacobian {list(expected)}, got {found}; mend the closure")
    return residuals_R, jacobian
