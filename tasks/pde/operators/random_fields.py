"""Random functions on [0, 1]: a Gaussian random field, known everywhere to rounding."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.pde.operators.chebyshev import chebyshev_nodes, interpolation_matrix
from zoo.errors import InputError


@dataclass(frozen=True)
class Functions:
    """B functions by their values at Chebyshev nodes."""

    values_BN: Tensor

    def at(self, x: Tensor) -> Tensor:
        """Values [B, K] at x [K] shared by all, or at x [B, K] of each function's own."""
        if x.dim() == 1:
            return self.values_BN @ interpolation_matrix(self.values_BN.shape[1], x).t()
        rows_BKN = interpolation_matrix(self.values_BN.shape[1], x.flatten()).unflatten(0, x.shape)
        return torch.einsum("bkn,bn->bk", rows_BKN, self.values_BN)


def gaussian_field(count: int, seed: int, length_scale: float = 0.2) -> Functions:
    """Draws of the zero-mean Gaussian field with covariance exp(-(x - x')^2 / (2 l^2)), as in Lu et al. (2021).

    Raises:
        InputError: a length scale that needs more nodes than are sensible.

    >>> gaussian_field(3, 0).at(torch.tensor([0.0, 1.0])).shape
    torch.Size([3, 2])
    """
    if not 0.02 <= length_scale <= 10:
        raise InputError(f"data.length_scale: expected 0.02 to 10, got {length_scale}; mend the recipe")
    nodes = chebyshev_nodes(round(24 + 4 / length_scale))
    covariance = torch.exp(-((nodes[:, None] - nodes) ** 2) / (2 * length_scale**2))
    variance, modes = torch.linalg.eigh(covariance)  # Cholesky would need a jitter, white noise on the functions
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(count, len(nodes), generator=generator, dtype=torch.float64)
    return Functions(normal @ (modes * variance.clamp(min=0).sqrt()).t())
