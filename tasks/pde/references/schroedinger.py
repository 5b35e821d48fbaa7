"""The nonlinear Schroedinger equation from 2 sech(x) on a period. Raissi, Perdikaris and Karniadakis (2017, part I).

Suffixes: K modes, T times, X places asked for.
"""

import numpy as np
from torch import Tensor

from tasks.pde.references.certificate import certified
from tasks.pde.references.periodic import Semilinear, spectrum
from tasks.pde.references.split_step import split_step

SCHROEDINGER = Semilinear(-5.0, 10.0, lambda k: -0.5j * k**2, lambda h: 1j * (h.real**2 + h.imag**2) * h)
MODES = 4096


def schroedinger_start(x: np.ndarray) -> np.ndarray:
    """2 sech(x)."""
    return 2 / np.cosh(x)


def schroedinger(t_T: Tensor, x_X: Tensor) -> tuple[Tensor, float]:
    """(h [T, X] complex, self-convergence error) of i h_t + h_xx / 2 + |h|^2 h = 0, h(0, x) = 2 sech x, period [-5, 5].

    t_T must increase; the resolution is meant for t <= pi / 2. The slope jumps by 0.054 at the ends and nothing smooths
    it, so the solution's coefficients fall off as 1 / k^2 at all times, and n modes alone leave an error of n^-1.5
    (1.75e-5 in the published solution with 256). Modes too quick to be solved for see only the mean of the potential
    2 |h|^2, which is constant: they are added as c_k(0) exp(-i k^2 t / 2 + 2 i <|h|^2> t), which takes 50 times off it.
    """
    t_T, x_X = t_T.double().numpy(), x_X.double().numpy()
    return certified(lambda coarser: _schroedinger(t_T, x_X, round(384 / coarser), 1.25e-4 * coarser))


def _schroedinger(t_T: np.ndarray, x_X: np.ndarray, solved: int, step: float) -> np.ndarray:
    # Even about x = 0: cosine coefficients, of so many values that they are not aliased.
    k_K = 2 * np.pi / SCHROEDINGER.length * np.arange(MODES)
    start_K = spectrum(np.fft.ifftshift(schroedinger_start(SCHROEDINGER.places(2**17))))[:MODES].real
    mean_square = start_K[0] ** 2 + 2 * np.sum(start_K[1:] ** 2)
    states_TK = start_K * np.exp(1j * np.multiply.outer(t_T, 2 * mean_square - k_K**2 / 2))
    # The last modes solved for are worse than the formula: they miss their neighbours above.
    kept = solved - 16
    low_K = np.concatenate([start_K[:solved], [0.0], start_K[solved - 1 : 0 : -1]])
    states_TK[:, :kept] = split_step(low_K, t_T, step, SCHROEDINGER.length)[:, :kept]
    states_TK[:, 1:] *= 2
    values_TX = states_TK @ np.cos(np.multiply.outer(k_K, x_X))
    values_TX[t_T == 0] = schroedinger_start(x_X)
    return values_TX
