"""The Fisher information as products, from a divergence to the distribution as it is.

Legend: P = trained parameters.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# () -> mean divergence, a scalar, from the distribution that the closure was made at to the one of the parameters as
# they are. Zero and flat at its own start, where its Hessian is the Fisher information F if it is the KL divergence.
Divergence = Callable[[], Tensor]


def fisher_products(divergence: Divergence, parameters: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
    """v [P] -> F v [P], by differentiating the divergence's gradient along v (Pearlmutter 1994).

    The gradient's graph is made once and serves every product.

    Args:
        divergence: see `Divergence`; differentiable twice.
        parameters: what F is taken in; those that the divergence does not reach have zero rows.

    >>> mean = torch.zeros(2, requires_grad=True)  # of a normal of variance 1/4: F = 4
    >>> fisher_products(lambda: 2 * mean.square().sum(), [mean])(torch.tensor([1.0, 2.0]))
    tensor([4., 8.])
    """
    with torch.enable_grad():
        slopes = torch.autograd.grad(divergence(), parameters, create_graph=True, materialize_grads=True)
        slope_P = torch.cat([slope.reshape(-1) for slope in slopes])

    def product(vector_P: Tensor) -> Tensor:
        parts = torch.autograd.grad(slope_P, parameters, vector_P, retain_graph=True, materialize_grads=True)
        return torch.cat([part.reshape(-1) for part in parts])

    return product
