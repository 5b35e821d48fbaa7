"""Kuramoto-Sivashinsky's equation, the part before chaos. Wang, Sankaran and Perdikaris (2022)."""

import numpy as np
from torch import Tensor

from tasks.pde.references.certificate import certified
from tasks.pde.references.periodic import Semilinear, smooth_values

KURAMOTO_SIVASHINSKY = Semilinear(
    -1.0, 2.0, lambda k: 0.5 * k**2 - 0.005 * k**4, lambda u: -2.5 * u * u, lambda k: 1j * k
)


def kuramoto_sivashinsky_start(x: np.ndarray) -> np.ndarray:
    """-sin(pi x)."""
    return -np.sin(np.pi * x)


def kuramoto_sivashinsky(t_T: Tensor, x_X: Tensor) -> tuple[Tensor, float]:
    """(u [T, X], self-convergence error) of Kuramoto and Sivashinsky's equation.

        u_t + 5 u u_x + 0.5 u_xx + 0.005 u_xxxx = 0,  u(0, x) = -sin(pi x),  period [-1, 1]

    t_T must increase; the resolution is meant for t <= 1.
    """
    t_T, x_X = t_T.double().numpy(), x_X.double().numpy()

    def solve(coarser: float) -> np.ndarray:
        size, step = 2 * round(64 / coarser), 5e-5 * coarser
        return smooth_values(KURAMOTO_SIVASHINSKY, kuramoto_sivashinsky_start, t_T, x_X, size, step)

    return certified(solve)
