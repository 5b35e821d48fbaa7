"""A loss that is a sum of squares, linearised for least squares: residuals, Jacobians and the gradient 2 J'r.

Legend: R = residuals of all terms, P = trained parameters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.derivatives import residual_jacobian
from zoo.derivatives.jacobian_products import jacobian_products, stacked

Blocks = Mapping[str, Callable[[], Tensor]]  # name of a loss term -> its residuals [N, K]


@dataclass(frozen=True)
class Linearised:
    """Each term's residuals [N, K] and Jacobian, a matrix or products with it, at the parameters as they are."""

    pairs: dict[str, tuple[Tensor, Any]]
    residuals_R: Tensor
    jacobian_RP: Any

    def terms(self) -> dict[str, Tensor]:
        """Sum of squares of each term's residuals."""
        return {name: rows.square().sum() for name, (rows, _) in self.pairs.items()}

    def term_gradients(self) -> dict[str, Tensor]:
        """d term / d theta, [P] each."""
        return {name: gradient(rows.flatten(), jacobian) for name, (rows, jacobian) in self.pairs.items()}


def residuals_of(blocks: Blocks) -> Tensor:
    """All residuals in one column, [R].

    >>> residuals_of({"a": lambda: torch.ones(2, 1), "b": lambda: torch.zeros(1, 2)})
    tensor([1., 1., 0., 0.])
    """
    return torch.cat([block().flatten() for block in blocks.values()])


def linearised(blocks: Blocks, optimizer: Optimizer) -> Linearised:
    """Residuals and Jacobians of every term by the optimiser's trained parameters; 2 J'r is left in `.grad`, where the
    door reads it."""
    trained = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    products = getattr(optimizer, "wants_products", False)  # J v and J'u in the place of a matrix
    jacobian_of, joined = (jacobian_products, stacked) if products else (residual_jacobian, torch.cat)
    pairs = {name: jacobian_of(block, trained) for name, block in blocks.items()}
    residuals_R = torch.cat([rows.flatten() for rows, _ in pairs.values()])
    parts = [jacobian for _, jacobian in pairs.values()]
    jacobian_RP = parts[0] if len(parts) == 1 else joined(parts)
    write_gradient(gradient(residuals_R, jacobian_RP), trained)
    return Linearised(pairs, residuals_R, jacobian_RP)


def gradient(residuals_R: Tensor, jacobian_RP: Any) -> Tensor:
    """Of the sum of squares, 2 J'r [P].

    >>> gradient(torch.tensor([3.0]), torch.tensor([[1.0, 2.0]]))
    tensor([ 6., 12.])
    """
    return 2 * (jacobian_RP.t() @ residuals_R)


def write_gradient(gradient_P: Tensor, trained: Sequence[Tensor]) -> None:
    """Into every parameter's `.grad`."""
    for parameter, part in zip(trained, gradient_P.split([p.numel() for p in trained]), strict=True):
        parameter.grad = part.view_as(parameter)
