"""Polynomials on [0, 1] that vanish with their slopes at both ends: Shen's combinations of Legendre polynomials.

Suffixes: X places, N polynomials, Q nodes. Shen (1994), Efficient spectral-Galerkin method I.
"""

from typing import NamedTuple

import numpy as np


class Values(NamedTuple):
    """Polynomials and their first two derivatives at places, each [X, N]."""

    zeroth: np.ndarray
    first: np.ndarray
    second: np.ndarray


def clamped(count: int, x_X: np.ndarray) -> Values:
    """The first so many polynomials, scaled so that their second derivatives are orthonormal on [0, 1]."""
    k_N = np.arange(count)
    scale_N = 1 / np.sqrt(2 * (2 * k_N + 3) ** 2 * (2 * k_N + 5))
    parts = []
    for order, legendre in enumerate(_legendre(count + 4, 2 * x_X - 1)):
        middle = 2 * (2 * k_N + 5) / (2 * k_N + 7) * legendre[:, 2:-2]
        outer = (2 * k_N + 3) / (2 * k_N + 7) * legendre[:, 4:]
        # d/dx = 2 d/ds on s = 2 x - 1, and dx = ds / 2.
        parts.append(2 ** (order - 1.5) * scale_N * (legendre[:, :-4] - middle + outer))
    return Values(*parts)


def _legendre(count: int, s_X: np.ndarray) -> list[np.ndarray]:
    """Legendre polynomials and their first two derivatives, [X, count] each, by P'_{n+1} = P'_{n-1} + (2 n + 1) P_n."""
    tables = [np.polynomial.legendre.legvander(s_X, count - 1)]
    for _ in range(2):
        table = np.zeros_like(tables[-1])
        for n in range(count - 1):
            table[:, n + 1] = (2 * n + 1) * tables[-1][:, n] + (table[:, n - 1] if n else 0)
        tables.append(table)
    return tables


def gauss(count: int) -> tuple[np.ndarray, np.ndarray]:
    """(nodes [Q], weights [Q]) of Gauss-Legendre quadrature on [0, 1]."""
    nodes_Q, weights_Q = np.polynomial.legendre.leggauss(count)
    return (nodes_Q + 1) / 2, weights_Q / 2
