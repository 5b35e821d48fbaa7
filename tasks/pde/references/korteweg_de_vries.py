"""Korteweg-de Vries' equation: a cosine that breaks into solitons. Zabusky and Kruskal (1965), Raissi et al. (2019)."""

import numpy as np
from torch import Tensor

from tasks.pde.references.certificate import certified
from tasks.pde.references.periodic import Semilinear, smooth_values

KORTEWEG_DE_VRIES = Semilinear(-1.0, 2.0, lambda k: 0.0025j * k**3, lambda u: -u * u / 2, lambda k: 1j * k)


def korteweg_de_vries_start(x: np.ndarray) -> np.ndarray:
    """cos(pi x)."""
    return np.cos(np.pi * x)


def korteweg_de_vries(t_T: Tensor, x_X: Tensor) -> tuple[Tensor, float]:
    """(u [T, X], self-convergence error) of u_t + u u_x + 0.0025 u_xxx = 0, u(0, x) = cos(pi x), period [-1, 1].

    t_T must increase; the resolution is meant for t <= 1.
    """
    t_T, x_X = t_T.double().numpy(), x_X.double().numpy()

    def solve(coarser: float) -> np.ndarray:
        size, step = 2 * round(128 / coarser), 1e-4 * coarser
        return smooth_values(KORTEWEG_DE_VRIES, korteweg_de_vries_start, t_T, x_X, size, step)

    return certified(solve)
