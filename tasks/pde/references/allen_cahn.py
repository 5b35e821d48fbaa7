"""Allen-Cahn's equation from a start whose slope jumps at the ends of the period. Raissi et al. (2017, part II)."""

import numpy as np
from torch import Tensor

from tasks.pde.references.certificate import certified
from tasks.pde.references.periodic import Semilinear, evolved, series, spectrum

ALLEN_CAHN = Semilinear(-1.0, 2.0, lambda k: 5 - 1e-4 * k**2, lambda u: -5 * u**3)


def allen_cahn_start(x: np.ndarray) -> np.ndarray:
    """x^2 cos(pi x)."""
    return x**2 * np.cos(np.pi * x)


def allen_cahn(t_T: Tensor, x_X: Tensor) -> tuple[Tensor, float]:
    """(u [T, X], self-convergence error) of u_t = 1e-4 u_xx + 5 u - 5 u^3, u(0, x) = x^2 cos(pi x), period [-1, 1].

    t_T must increase. The slope jumps by 4 at the ends, so the coefficients of the start fall off as 1 / k^2 only.
    Its values on N places are aliased by 1 / N^2: with N = 512 the published solution is wrong by 1.2e-5. Here they
    are taken from 2^20 values, and after t ~ 1 / (1e-4 k^2) diffusion has taken what was cut off. The first steps
    double in length, because the jump decays as sqrt(t).
    """
    t_T, x_X = t_T.double().numpy(), x_X.double().numpy()
    return certified(lambda coarser: _allen_cahn(t_T, x_X, 2 * round(2048 / coarser), 1.25e-3 * coarser))


def _allen_cahn(t_T: np.ndarray, x_X: np.ndarray, size: int, step: float) -> np.ndarray:
    # Until the first step's end the steps double.
    early = step * 0.5 ** np.arange(20, -1, -1)
    times = np.union1d(early, t_T)
    start_N = allen_cahn_start(ALLEN_CAHN.places(size))
    exact_K = spectrum(allen_cahn_start(ALLEN_CAHN.places(2**20)))[: size // 2 + 1]
    states_TK = evolved(ALLEN_CAHN, start_N, times, step, exact_K, fewest=4)
    values_TX = series(states_TK[np.searchsorted(times, t_T)], x_X, ALLEN_CAHN, size)
    values_TX[t_T == 0] = allen_cahn_start(x_X)
    return values_TX
