"""Stiff systems of ordinary differential equations by an implicit Runge-Kutta rule of order five.

Suffixes: T times, K unknowns. Hairer and Wanner (1996), Solving Ordinary Differential Equations II.
"""

from collections.abc import Callable

import numpy as np
from scipy.integrate import solve_ivp
from torch import Tensor

from tasks.pde.references.certificate import certified
from zoo.errors import InputError

Rate = Callable[[float, np.ndarray], np.ndarray]


def stiff(
    rate: Rate, start_K: np.ndarray, t_T: Tensor, jacobian: Rate, tolerance: float = 1e-11
) -> tuple[Tensor, float]:
    """(y [T, K], self-convergence error) of y' = rate(t, y), y(0) = start, by Radau IIA.

    Args:
        rate: (t, y [K]) -> y' [K].
        start_K: y at t = 0.
        t_T: increasing from 0 on.
        jacobian: (t, y [K]) -> [K, K].
        tolerance: relative, of a step; absolute a thousandth of it. The coarser run is allowed 30 times as much.

    Raises:
        InputError: the integration fails, in the words of scipy.
    """
    t_T = t_T.double().numpy()

    def solve(coarser: float) -> np.ndarray:
        allowed = tolerance * coarser
        found = solve_ivp(rate, (0.0, t_T[-1]), start_K, "Radau", t_T, jac=jacobian, rtol=allowed, atol=1e-3 * allowed)
        if not found.success:
            raise InputError(f"rate: expected a system that can be integrated to t = {t_T[-1]}, got: {found.message}")
        return found.y.T

    return certified(solve, coarser=30.0)


def robertson(t_T: Tensor) -> tuple[Tensor, float]:
    """(y [T, 3], self-convergence error) of Robertson's reactions from (1, 0, 0): three rates over nine decades.

    y_2 stays below 4e-5: judge it by itself, the norm does not see it.
    """

    def rate(_: float, y: np.ndarray) -> np.ndarray:
        first, second, third = 0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] ** 2
        return np.array([second - first, first - second - third, third])

    def jacobian(_: float, y: np.ndarray) -> np.ndarray:
        back, forth, last = 1e4 * y[2], 1e4 * y[1], 6e7 * y[1]
        return np.array([[-0.04, back, forth], [0.04, -back - last, -forth], [0.0, last, 0.0]])

    return stiff(rate, np.array([1.0, 0.0, 0.0]), t_T, jacobian)


def van_der_pol(t_T: Tensor, stiffness: float) -> tuple[Tensor, float]:
    """(y [T, 2], self-convergence error) of y_1' = y_2, y_2' = stiffness (1 - y_1^2) y_2 - y_1 from (2, 0)."""

    def rate(_: float, y: np.ndarray) -> np.ndarray:
        return np.array([y[1], stiffness * (1 - y[0] ** 2) * y[1] - y[0]])

    def jacobian(_: float, y: np.ndarray) -> np.ndarray:
        return np.array([[0.0, 1.0], [-2 * stiffness * y[0] * y[1] - 1, stiffness * (1 - y[0] ** 2)]])

    return stiff(rate, np.array([2.0, 0.0]), t_T, jacobian)
