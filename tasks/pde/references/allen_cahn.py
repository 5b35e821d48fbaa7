"""Allen-Cahn's equation from a start whose slope jumps at the ends of the period. Raissi et al. (2017, part II)."""

import numpy as np
from torch import Tensor

from tasks.pde.references.certificate import certified
from tasks.pde.references.periodic import Semilinear, smoothed_values

ALLEN_CAHN = Semilinear(-1.0, 2.0, lambda k: 5 - 1e-4 * k**2, lambda u: -5 * u**3)


def allen_cahn_start(x: np.ndarray) -> np.ndarray:
    """x^2 cos(pi x)."""
    return x**2 * np.cos(np.pi * x)


def allen_cahn(t_T: Tensor, x_X: Tensor) -> tuple[Tensor, float]:
    """(u [T, X], self-convergence error) of u_t = 1e-4 u_xx + 5 u - 5 u^3, u(0, x) = x^2 cos(pi x), period [-1, 1].

    t_T must increase. The slope of the start jumps by 4 at the ends: solved from 512 values, as published, the solution
    is wrong by 1.2e-5.
    """
    t_T, x_X = t_T.double().numpy(), x_X.double().numpy()

    def solve(coarser: float) -> np.ndarray:
        return smoothed_values(ALLEN_CAHN, allen_cahn_start, t_T, x_X, 2 * round(2048 / coarser), 1.25e-3 * coarser)

    return certified(solve)
