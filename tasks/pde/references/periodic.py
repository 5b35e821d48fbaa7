"""Semilinear equations on a period, by Fourier series in space and ETDRK4 in time.

Suffixes: N places on the period, K modes, T times, X places asked for.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tasks.pde.references.etdrk4 import etdrk4

Symbol = Callable[[np.ndarray], np.ndarray]
Start = Callable[[np.ndarray], np.ndarray]


class Semilinear(NamedTuple):
    """u_t = L u + D f(u) on low <= x < low + length, u periodic, L and D with constant coefficients.

    Args:
        low: the period's left end.
        length: the period.
        linear: wavenumbers -> the symbol of L.
        nonlinear: values -> f(values).
        outer: wavenumbers -> the symbol of D.
    """

    low: float
    length: float
    linear: Symbol
    nonlinear: Callable[[np.ndarray], np.ndarray]
    outer: Symbol = np.ones_like

    def places(self, count: int) -> np.ndarray:
        """Equidistant places on the period, its right end left out."""
        return self.low + self.length * np.arange(count) / count


def spectrum(values_N: np.ndarray) -> np.ndarray:
    """Fourier coefficients [K] of values on a period: K = N if they are complex, else the N // 2 + 1 that matter."""
    return (np.fft.fft if np.iscomplexobj(values_N) else np.fft.rfft)(values_N, norm="forward")


def evolved(
    equation: Semilinear,
    start_N: np.ndarray,
    times_T: np.ndarray,
    step: float,
    start_K: np.ndarray | None = None,
    fewest: int = 1,
) -> np.ndarray:
    """Fourier coefficients [T, K] at the times.

    Args:
        equation: what is solved.
        start_N: values at t = 0 on `equation.places`; complex ones for a complex solution.
        times_T: increasing from 0 on.
        step: longest step in time.
        start_K: coefficients of the start; by default those of its values, which are aliased where it is not smooth.
        fewest: see `etdrk4`.
    """
    size = len(start_N)
    transforms = (np.fft.fft, np.fft.ifft) if np.iscomplexobj(start_N) else (np.fft.rfft, np.fft.irfft)
    forward, backward = transforms
    k_K = wavenumbers(size, np.iscomplexobj(start_N)) * (2 * np.pi / equation.length)
    outer_K = equation.outer(k_K)

    def nonlinear(u_K: np.ndarray) -> np.ndarray:
        return outer_K * forward(equation.nonlinear(backward(u_K, size, norm="forward")), norm="forward")

    start_K = spectrum(start_N) if start_K is None else start_K
    return np.array(list(etdrk4(equation.linear(k_K), nonlinear, start_K, times_T, step, fewest)))


def wavenumbers(size: int, is_complex: bool) -> np.ndarray:
    """Whole numbers [K] of the modes of `spectrum`, in its order."""
    return np.fft.fftfreq(size, 1 / size) if is_complex else np.arange(size // 2 + 1.0)


def series(coefficients_TK: np.ndarray, x_X: np.ndarray, equation: Semilinear, size: int) -> np.ndarray:
    """Values [T, X] at any places of Fourier series with the coefficients of `spectrum` of `size` values."""
    is_real = coefficients_TK.shape[-1] != size
    k_K = wavenumbers(size, not is_real)
    waves_KX = np.exp(2j * np.pi / equation.length * k_K[:, None] * (x_X - equation.low))
    if not is_real:
        return coefficients_TK @ waves_KX
    both_K = np.where((k_K == 0) | (2 * k_K == size), 1.0, 2.0)
    weighted_TK = coefficients_TK * both_K
    return weighted_TK.real @ waves_KX.real - weighted_TK.imag @ waves_KX.imag


def smooth_values(
    equation: Semilinear, start: Start, t_T: np.ndarray, x_X: np.ndarray, size: int, step: float
) -> np.ndarray:
    """Values [T, X] of an equation from a smooth periodic start, by `size` places."""
    return series(evolved(equation, start(equation.places(size)), t_T, step), x_X, equation, size)


def smoothed_values(
    equation: Semilinear, start: Start, t_T: np.ndarray, x_X: np.ndarray, size: int, step: float
) -> np.ndarray:
    """Values [T, X] of a diffusive equation from a real start whose periodic continuation has a jump in its slope.

    Coefficients of such a start fall off as 1 / k^2, so those of its values on `size` places are aliased by 1 / size^2:
    they are taken from 2^20 values instead, and what is cut off diffusion soon takes. The first steps double in length,
    because the jump decays as sqrt(t).
    """
    early = step * 0.5 ** np.arange(20, -1, -1)
    times = np.union1d(early, t_T)
    start_K = spectrum(start(equation.places(2**20)))[: size // 2 + 1]
    states_TK = evolved(equation, start(equation.places(size)), times, step, start_K, fewest=4)
    values_TX = series(states_TK[np.searchsorted(times, t_T)], x_X, equation, size)
    values_TX[t_T == 0] = start(x_X)
    return values_TX
