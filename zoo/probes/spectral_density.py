"""The spectrum of a symmetric matrix as a density, by stochastic Lanczos quadrature.

Golub and Welsch (1969); Lin, Saad and Yang (2016); Ghorbani, Krishnan and Xiao (2019) for Hessians of nets.

Legend: P = size of the matrix, K = Lanczos steps, S = start vectors, G = points of the grid.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import InputError
from zoo.probes.trace import random_signs


@dataclass(frozen=True)
class SpectralDensity:
    """phi(x) = sum_i delta(x - lambda_i) / P as quadrature rules, one a start vector.

    Attributes:
        nodes_SK: Ritz values.
        weights_SK: shares of the spectrum, summing to 1 in each row.
        size: P.
    """

    nodes_SK: Tensor
    weights_SK: Tensor
    size: int

    def moment(self, function: Callable[[Tensor], Tensor]) -> tuple[float, float]:
        """(mean of a function of the eigenvalues, its standard error over start vectors); P times it is the trace of
        f(A). Exact up to the error over starts for polynomials of degree 2 K - 1."""
        means_S = (self.weights_SK * function(self.nodes_SK)).sum(1)
        return float(means_S.mean()), float(means_S.std() / len(means_S) ** 0.5)

    def on_grid(self, grid_G: Tensor, width: float) -> tuple[Tensor, Tensor]:
        """(density [G], its standard error [G]), each eigenvalue a normal of standard deviation `width`."""
        distance_SKG = (grid_G - self.nodes_SK[:, :, None]) / width
        bumps_SKG = torch.exp(-0.5 * distance_SKG.square()) / (width * (2 * torch.pi) ** 0.5)
        rows_SG = (self.weights_SK[:, :, None] * bumps_SKG).sum(1)
        return rows_SG.mean(0), rows_SG.std(0) / len(rows_SG) ** 0.5

    def share(self, low: float, high: float) -> float:
        """Share of the eigenvalues in low <= lambda < high."""
        inside_SK = (self.nodes_SK >= low) & (self.nodes_SK < high)
        return float((self.weights_SK * inside_SK).sum(1).mean())


def spectral_density(
    product: Callable[[Tensor], Tensor],
    like_P: Tensor,
    steps: int = 32,
    starts: int = 4,
    generator: torch.Generator | None = None,
) -> SpectralDensity:
    """Quadrature rules of the spectrum from `starts` Lanczos runs of `steps` products each.

    Args:
        product: v -> A v.
        like_P: a vector whose size, dtype and device are taken.
        steps: K; as many vectors of size P are held, for full reorthogonalisation.
        starts: S, 2 or more, whose spread is the error.
        generator: on the CPU; a new one with seed 0 by default.

    Raises:
        InputError: fewer than two starts or no step.

    >>> found = spectral_density(lambda v: torch.tensor([1.0, 2.0]) * v, torch.zeros(2), steps=2)
    >>> round(found.moment(lambda x: x)[0], 4)
    1.5
    """
    if starts < 2 or steps < 1:
        raise InputError(f"spectral_density: expected starts >= 2 and steps >= 1, got {starts} and {steps}; raise them")
    generator = generator or torch.Generator().manual_seed(0)
    rules = []
    for _ in range(starts):
        alphas, betas = tridiagonal(product, random_signs(like_P, generator), min(steps, len(like_P)))
        rules.append(_rule(alphas, betas, steps))
    nodes, weights = zip(*rules, strict=True)
    return SpectralDensity(torch.stack(nodes), torch.stack(weights), len(like_P))


def tridiagonal(product: Callable[[Tensor], Tensor], start_P: Tensor, steps: int) -> tuple[list[float], list[float]]:
    """(diagonal, off-diagonal) of A in the Krylov space of a vector, by Lanczos with full reorthogonalisation; shorter
    where the space closes.

    >>> [round(one, 4) for one in tridiagonal(lambda v: torch.tensor([1.0, 3.0]) * v, torch.ones(2), 2)[0]]
    [2.0, 2.0]
    """
    basis_KP = start_P.new_empty(steps, len(start_P))
    basis_KP[0] = start_P / start_P.norm()
    alphas, betas = [], []
    for k in range(steps):
        rest_P = product(basis_KP[k]).clone()
        alphas.append(float(rest_P @ basis_KP[k]))
        for _ in range(2):
            rest_P -= basis_KP[: k + 1].t() @ (basis_KP[: k + 1] @ rest_P)
        beta = float(rest_P.norm())
        if k + 1 == steps or beta <= 8 * torch.finfo(rest_P.dtype).eps * max(map(abs, [*alphas, *betas])):
            break
        betas.append(beta)
        basis_KP[k + 1] = rest_P / beta
    return alphas, betas


def _rule(alphas: list[float], betas: list[float], steps: int) -> tuple[Tensor, Tensor]:
    """Gauss's nodes and weights [K], filled up with weight 0."""
    off = torch.tensor(betas, dtype=torch.float64)
    matrix_KK = torch.diag(torch.tensor(alphas, dtype=torch.float64)) + torch.diag(off, 1) + torch.diag(off, -1)
    values_K, vectors_KK = torch.linalg.eigh(matrix_KK)
    nodes, weights = values_K[-1].repeat(steps), torch.zeros(steps, dtype=torch.float64)
    nodes[: len(values_K)], weights[: len(values_K)] = values_K, vectors_KK[0].square()
    return nodes, weights
