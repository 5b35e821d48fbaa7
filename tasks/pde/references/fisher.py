"""Fisher's equation on a period. Krishnapriyan et al. (2021), reaction-diffusion."""

import numpy as np
from torch import Tensor

from tasks.pde.references.certificate import certified
from tasks.pde.references.periodic import Semilinear, smoothed_values


def fisher_equation(diffusion: float, rate: float) -> Semilinear:
    """u_t = diffusion u_xx + rate u (1 - u), period [0, 2 pi]."""
    return Semilinear(0.0, 2 * np.pi, lambda k: rate - diffusion * k**2, lambda u: -rate * u * u)


def fisher_start(x: np.ndarray) -> np.ndarray:
    """exp(-(x - pi)^2 / (2 (pi / 4)^2))."""
    return np.exp(-8 * (x / np.pi - 1) ** 2)


def fisher(t_T: Tensor, x_X: Tensor, diffusion: float = 5.0, rate: float = 5.0) -> tuple[Tensor, float]:
    """(u [T, X], self-convergence error) of Fisher's equation from a Gaussian, whose slope jumps by 3e-3 at the ends.

    t_T must increase.
    """
    t_T, x_X = t_T.double().numpy(), x_X.double().numpy()
    equation = fisher_equation(diffusion, rate)
    return certified(
        lambda coarser: smoothed_values(equation, fisher_start, t_T, x_X, 2 * round(256 / coarser), 2e-3 * coarser)
    )
