"""The cubic Schroedinger equation by fourth-order split steps.

Suffixes: N places on the period (and modes, in FFT order), T times. Yoshida (1990); Weideman and Herbst (1986).
"""

import math

import numpy as np

# Three symmetric second-order steps, the middle one backwards, cancel the third-order error term.
_OUTER = 1 / (2 - 2 ** (1 / 3))
SHARES = (_OUTER, 1 - 2 * _OUTER, _OUTER)


def split_step(start_N: np.ndarray, times_T: np.ndarray, step: float, length: float) -> np.ndarray:
    """Fourier coefficients [T, N] of i h_t + h_xx / 2 + |h|^2 h = 0, periodic, at increasing times from 0 on.

    Both parts are solved exactly in turn: dispersion turns every mode, the nonlinearity every value. High modes, which
    a jump in the slope leaves at 1 / k^2 for ever, thus keep their phase; a Runge-Kutta rule must resolve k^2 / 2.

    Args:
        start_N: Fourier coefficients at t = 0, FFT order, normalised by 1 / N.
        times_T: when; each interval is cut into equal steps.
        step: longest step.
        length: the period.
    """
    k_N = 2 * np.pi / length * np.fft.fftfreq(len(start_N), 1 / len(start_N))
    now, h_N, states = 0.0, start_N.astype(complex), []
    for time in times_T.tolist():
        count = math.ceil((time - now) / step - 1e-9)
        h_N = _stepped(h_N, k_N, (time - now) / max(count, 1), count)
        states.append(h_N)
        now = time
    return np.array(states)


def _stepped(h_N: np.ndarray, k_N: np.ndarray, step: float, count: int) -> np.ndarray:
    turns = [np.exp(-0.25j * step * share * k_N**2) for share in SHARES]
    for _ in range(count):
        for share, turn_N in zip(SHARES, turns, strict=True):
            values_N = np.fft.ifft(turn_N * h_N, norm="forward")
            angle_N = (step * share) * (values_N.real**2 + values_N.imag**2)
            h_N = turn_N * np.fft.fft(values_N * (np.cos(angle_N) + 1j * np.sin(angle_N)), norm="forward")
    return h_N
