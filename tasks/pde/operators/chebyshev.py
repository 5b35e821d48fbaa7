"""Smooth functions on [0, 1] by their values at Chebyshev points: interpolation, integrals, derivatives.

Trefethen (2000), Spectral Methods in MATLAB; Berrut and Trefethen (2004). The error falls exponentially with the nodes.
"""

import math

import torch
from torch import Tensor


def chebyshev_nodes(count: int) -> Tensor:
    """[count] extrema of the Chebyshev polynomial, rising from 0 to 1, float64."""
    return 0.5 - 0.5 * torch.cos(math.pi * torch.arange(count, dtype=torch.float64) / (count - 1))


def interpolation_matrix(count: int, x_K: Tensor) -> Tensor:
    """[K, count]: values at the nodes -> values of the interpolant at x, by the barycentric formula.

    >>> nodes = chebyshev_nodes(5)
    >>> x = torch.tensor([0.3, 0.5], dtype=torch.float64)
    >>> torch.allclose(interpolation_matrix(5, x) @ nodes**4, x**4)
    True
    """
    weights = (-1.0) ** torch.arange(count, dtype=torch.float64)
    weights[0], weights[-1] = 0.5 * weights[0], 0.5 * weights[-1]
    distance = x_K.double()[:, None] - chebyshev_nodes(count)
    met = distance.abs() < 1e-14  # at a node the formula is 0 / 0
    shares = weights / torch.where(met, 1.0, distance)
    shares = shares / shares.sum(1, keepdim=True)
    return torch.where(met.any(1, keepdim=True), met.double(), shares)


def integration_matrix(count: int, x_K: Tensor) -> Tensor:
    """[K, count]: values at the nodes -> integral of the interpolant from 0 to x.

    >>> x = torch.tensor([0.0, 0.4], dtype=torch.float64)
    >>> torch.allclose(integration_matrix(6, x) @ chebyshev_nodes(6) ** 3, x**4 / 4, atol=1e-15)
    True
    """
    degrees = torch.arange(count, dtype=torch.float64)
    coefficients = torch.linalg.inv(torch.cos(degrees * torch.acos(2 * chebyshev_nodes(count)[:, None] - 1)))
    angle_K1 = torch.acos((2 * x_K.double() - 1).clamp(-1, 1))[:, None]
    return 0.5 * _integrals(degrees, angle_K1) @ coefficients


def _integrals(n: Tensor, angle_K1: Tensor) -> Tensor:
    # int T_n = T_(n+1) / (2(n+1)) - T_(n-1) / (2(n-1)); for n = 1 it is T_2 / 4, up to a constant.
    def primitive(angle: Tensor) -> Tensor:
        lower = torch.where(n == 1, 0.0, torch.cos((n - 1) * angle) / torch.where(n == 1, 1.0, 2 * (n - 1)))
        return torch.cos((n + 1) * angle) / (2 * (n + 1)) - lower

    return primitive(angle_K1) - primitive(torch.full_like(angle_K1[:1], math.pi))


def differentiation_matrix(count: int) -> Tensor:
    """[count, count]: values at the nodes -> derivative of the interpolant there.

    >>> nodes = chebyshev_nodes(6)
    >>> torch.allclose(differentiation_matrix(6) @ nodes**3, 3 * nodes**2)
    True
    """
    nodes = chebyshev_nodes(count)
    c = (-1.0) ** torch.arange(count, dtype=torch.float64)
    c[0], c[-1] = 2 * c[0], 2 * c[-1]
    matrix = (c[:, None] / c) / (nodes[:, None] - nodes + torch.eye(count, dtype=torch.float64))
    return matrix - torch.diag(matrix.sum(1))
