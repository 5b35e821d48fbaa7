"""Exponential time differencing, fourth-order Runge-Kutta: semilinear systems whose linear part is diagonal.

Suffixes: K modes, T times, M points of a contour. Cox and Matthews (2002); Kassam and Trefethen (2005).
"""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from zoo.errors import InputError


class Coefficients(NamedTuple):
    """What one step of one length multiplies by, each [K]."""

    whole: np.ndarray
    half: np.ndarray
    stage: np.ndarray
    first: np.ndarray
    middle: np.ndarray
    last: np.ndarray


def coefficients(linear_K: np.ndarray, step: float, contour: int = 32) -> Coefficients:
    """exp(z), exp(z / 2) and the phi functions of the four stages at z = step * linear.

    The functions are removable singularities at z = 0, where their formulas cancel: they are means over a circle of
    radius one around z instead (Cauchy; exponentially accurate in the number of its points).
    """
    z_KM = step * linear_K[:, None] + np.exp(2j * math.pi * (np.arange(contour) + 0.5) / contour)
    e_KM = np.exp(z_KM)
    means = (
        (np.exp(z_KM / 2) - 1) / z_KM,
        (-4 - z_KM + e_KM * (4 - 3 * z_KM + z_KM**2)) / z_KM**3,
        2 * (2 + z_KM + e_KM * (z_KM - 2)) / z_KM**3,
        (-4 - 3 * z_KM - z_KM**2 + e_KM * (4 - z_KM)) / z_KM**3,
    )
    phis = [step * values_KM.mean(1) for values_KM in means]
    if np.isrealobj(linear_K):
        phis = [phi_K.real for phi_K in phis]
    return Coefficients(np.exp(step * linear_K), np.exp(step * linear_K / 2), *phis)


def stepped(u_K: np.ndarray, nonlinear: Callable[[np.ndarray], np.ndarray], c: Coefficients) -> np.ndarray:
    """The state one step later."""
    start_K = nonlinear(u_K)
    decayed_K = c.half * u_K
    a_K = decayed_K + c.stage * start_K
    at_a_K = nonlinear(a_K)
    at_b_K = nonlinear(decayed_K + c.stage * at_a_K)
    at_c_K = nonlinear(c.half * a_K + c.stage * (2 * at_b_K - start_K))
    return c.whole * u_K + c.first * start_K + c.middle * (at_a_K + at_b_K) + c.last * at_c_K


def etdrk4(
    linear_K: np.ndarray,
    nonlinear: Callable[[np.ndarray], np.ndarray],
    start_K: np.ndarray,
    times_T: np.ndarray,
    step: float,
    fewest: int = 1,
) -> Iterator[np.ndarray]:
    """States [K] at the times of u_t = linear * u + nonlinear(u), one after the other, from start_K at t = 0.

    Args:
        linear_K: the diagonal of the linear part.
        nonlinear: coefficients [K] -> coefficients [K].
        start_K: the state at t = 0.
        times_T: increasing from 0 on; each interval is cut into equal steps.
        step: longest step.
        fewest: steps that each interval is cut into at least (with times that double, for a start that is not smooth).

    Raises:
        InputError: times that do not increase from 0 on.
    """
    if len(times_T) == 0 or times_T[0] < 0 or np.any(np.diff(times_T) <= 0):
        raise InputError(f"times: expected them to increase from 0 on, got {times_T}; sort them and drop doubles")
    cached = lru_cache(8)(lambda length: coefficients(linear_K, length))
    now, u_K = 0.0, start_K
    for time in times_T.tolist():
        count = max(fewest, math.ceil((time - now) / step - 1e-9)) if time > now else 0
        for _ in range(count):
            # Rounded, so that the equal intervals of a grid share their coefficients.
            u_K = stepped(u_K, nonlinear, cached(float(f"{(time - now) / count:.13e}")))
        now = time
        yield u_K
