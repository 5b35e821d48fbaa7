"""A reaction-diffusion equation for many sources at once, by Legendre polynomials in space and ETDRK4 in time.

Suffixes: F sources, T times, X places, Q nodes of the quadrature, K modes. Lu et al. (2021), DeepONet; Shen (1994).
"""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from tasks.pde.references.certificate import certified
from tasks.pde.references.clamped import gauss
from tasks.pde.references.etdrk4 import etdrk4

Sources = Callable[[np.ndarray], np.ndarray]


def reaction_diffusion(
    sources: Sources, t_T: Tensor, x_X: Tensor, diffusion: float = 0.01, rate: float = 0.01
) -> tuple[Tensor, float]:
    """(u [F, T, X], self-convergence error) of u_t = diffusion u_xx + rate u^2 + f(x), u = 0 at t = 0, x = 0 and x = 1.

    Args:
        sources: places [Q] in [0, 1] -> values f [F, Q], smooth on the scale of a fiftieth.
        t_T: increasing from 0 on.
        x_X: places in [0, 1].
        diffusion: of u.
        rate: of the reaction.
    """
    t_T, x_X = t_T.double().numpy(), x_X.double().numpy()

    def solve(coarser: float) -> np.ndarray:
        states_TFK, modes_XK = _solved(sources, t_T, x_X, diffusion, rate, round(96 / coarser), 0.02 * coarser)
        return np.moveaxis(states_TFK @ modes_XK.T, 0, 1)

    return certified(solve)


def _solved(sources, t_T, x_X, diffusion, rate, count, step) -> tuple[np.ndarray, np.ndarray]:
    nodes_Q, weights_Q = gauss(3 * count // 2 + 2)
    decay_K, modes_QK, modes_XK = laplacian_modes(count, nodes_Q, weights_Q, x_X)
    project_QK = weights_Q[:, None] * modes_QK
    source_FK = sources(nodes_Q) @ project_QK

    def nonlinear(u_FK: np.ndarray) -> np.ndarray:
        return rate * (u_FK @ modes_QK.T) ** 2 @ project_QK + source_FK

    states = etdrk4(-diffusion * decay_K, nonlinear, np.zeros_like(source_FK), t_T, step)
    return np.array(list(states)), modes_XK


def laplacian_modes(
    count: int, nodes_Q: np.ndarray, weights_Q: np.ndarray, x_X: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(eigenvalues [K] of -d2/dx2 among polynomials that vanish at both ends of [0, 1], eigenfunctions at nodes, at x).

    The lower eigenfunctions are sines; unlike these they span every polynomial, so that a source that does not vanish
    at the ends is met exponentially well.
    """
    values_QK, values_XK = (_vanishing(count, places) for places in (nodes_Q, x_X))
    mass_K, turn_KK = np.linalg.eigh(values_QK.T * weights_Q @ values_QK)
    turn_KK = turn_KK / np.sqrt(mass_K)
    return 1 / mass_K, values_QK @ turn_KK, values_XK @ turn_KK


def _vanishing(count: int, x_X: np.ndarray) -> np.ndarray:
    """Polynomials [X, K] on [0, 1] that vanish at both ends, with orthonormal slopes."""
    legendre = np.polynomial.legendre.legvander(2 * x_X - 1, count + 1)
    return (legendre[:, :-2] - legendre[:, 2:]) / np.sqrt(8 * np.arange(count) + 12)
