"""Coefficients of implicit Runge-Kutta methods of any number of stages.

Collocation methods: with Lagrange's polynomials l_j at the nodes c, a_ij = int_0^{c_i} l_j and b_j = int_0^1 l_j. The
quadrature at the nodes is exact up to degree 2q - 2, so that Legendre's polynomials are orthogonal under it too:

    l_j(x) = w_j sum_{k<q} (k + 1/2) P_k(x_j) P_k(x),   (2k + 1) int_{-1}^x P_k = P_{k+1}(x) - P_{k-1}(x),

sums of bounded terms, where a Vandermonde matrix is singular to rounding from 20 stages on. Hairer and
Wanner (1996), IV.5.

Suffixes: Q stages, K degrees.
"""

import math
from typing import NamedTuple

import numpy as np

from zoo.errors import InputError


class Tableau(NamedTuple):
    """du/dt = f(t, u): u_i = u_0 + h sum_j a_ij f_j, f_j = f(t_0 + c_j h, u_j); u(t_0 + h) = u_0 + h sum_j b_j f_j."""

    a_QQ: np.ndarray
    b_Q: np.ndarray
    c_Q: np.ndarray


def gauss_legendre(stages: int) -> Tableau:
    """Order 2q, A-stable.

    >>> gauss_legendre(1).a_QQ.tolist(), gauss_legendre(1).c_Q.tolist()
    ([[0.5]], [0.5])
    """
    _refuse_none(stages)
    guess_Q = -np.cos((2 * np.arange(1, stages + 1) - 0.5) * (math.pi / (2 * stages + 1)))
    return _collocation(_refined(guess_Q, lambda p_KQ: p_KQ[stages]))


def radau_iia(stages: int) -> Tableau:
    """Order 2q - 1, L-stable; the last stage is the end of the step.

    >>> radau_iia(1).a_QQ.tolist(), radau_iia(1).c_Q.tolist()
    ([[1.0]], [1.0])
    """
    _refuse_none(stages)
    # The inner nodes are the zeros of the Jacobi polynomial (1, 0), approximately these cosines.
    guess_Q = np.cos((2 * np.arange(stages - 1, 0, -1) + 0.5) * (math.pi / (2 * stages)))
    inner_Q = _refined(guess_Q, lambda p_KQ: p_KQ[stages] - p_KQ[stages - 1], stages)
    return _collocation(np.append(inner_Q, 1.0))


def legendre(x_Q: np.ndarray, degree: int) -> np.ndarray:
    """P_0 .. P_degree at places in [-1, 1], [degree + 1, Q].

    >>> legendre(np.array([0.5]), 2)[:, 0].tolist()
    [1.0, 0.5, -0.125]
    """
    p_KQ = np.ones((degree + 1, len(x_Q)))
    if degree:
        p_KQ[1] = x_Q
    for k in range(1, degree):
        p_KQ[k + 1] = ((2 * k + 1) * x_Q * p_KQ[k] - k * p_KQ[k - 1]) / (k + 1)
    return p_KQ


def _refined(x_Q: np.ndarray, polynomial, stages: int | None = None) -> np.ndarray:
    """Zeros of a combination of Legendre polynomials up to degree q, by Newton's method from close guesses."""
    stages = stages or len(x_Q)
    for _ in range(6):
        p_KQ = legendre(x_Q, stages)
        degree_K1 = np.arange(stages + 1)[:, None]
        lower_KQ = np.concatenate([np.zeros((1, len(x_Q))), p_KQ[:-1]])
        slopes_KQ = degree_K1 * (lower_KQ - x_Q * p_KQ) / (1 - x_Q**2)
        x_Q = x_Q - polynomial(p_KQ) / polynomial(slopes_KQ)
    return x_Q


def _collocation(x_Q: np.ndarray) -> Tableau:
    stages = len(x_Q)
    p_KQ = legendre(x_Q, stages)
    w_Q = 2 / ((2 * np.arange(stages) + 1) @ p_KQ[:-1] ** 2)
    integrals_KQ = np.concatenate([x_Q[None] + 1, p_KQ[2:] - p_KQ[: stages - 1]])  # times 2k + 1
    return Tableau((w_Q / 4) * (integrals_KQ.T @ p_KQ[:-1]), w_Q / 2, (1 + x_Q) / 2)


def _refuse_none(stages: int) -> None:
    if stages < 1:
        raise InputError(f"Runge-Kutta: expected 1 stage or more, got {stages}; mend the recipe")
