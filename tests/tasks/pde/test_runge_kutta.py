"""Implicit Runge-Kutta coefficients: textbook values, order conditions, order on an equation."""

import math

import numpy as np
import pytest

from tasks.pde.runge_kutta import gauss_legendre, legendre, radau_iia
from zoo.errors import InputError

S3, S6, S15 = math.sqrt(3), math.sqrt(6), math.sqrt(15)
TEXTBOOK = [  # Hairer and Wanner (1996), tables IV.5.1, IV.5.2 and IV.5.5
    (gauss_legendre(2), [[1 / 4, 1 / 4 - S3 / 6], [1 / 4 + S3 / 6, 1 / 4]], [1 / 2, 1 / 2]),
    (
        gauss_legendre(3),
        [
            [5 / 36, 2 / 9 - S15 / 15, 5 / 36 - S15 / 30],
            [5 / 36 + S15 / 24, 2 / 9, 5 / 36 - S15 / 24],
            [5 / 36 + S15 / 30, 2 / 9 + S15 / 15, 5 / 36],
        ],
        [5 / 18, 4 / 9, 5 / 18],
    ),
    (radau_iia(2), [[5 / 12, -1 / 12], [3 / 4, 1 / 4]], [3 / 4, 1 / 4]),
    (
        radau_iia(3),
        [
            [(88 - 7 * S6) / 360, (296 - 169 * S6) / 1800, (-2 + 3 * S6) / 225],
            [(296 + 169 * S6) / 1800, (88 + 7 * S6) / 360, (-2 - 3 * S6) / 225],
            [(16 - S6) / 36, (16 + S6) / 36, 1 / 9],
        ],
        [(16 - S6) / 36, (16 + S6) / 36, 1 / 9],
    ),
]


@pytest.mark.parametrize(("found", "a", "b"), TEXTBOOK)
def test_textbook_values(found, a, b):
    np.testing.assert_allclose(found.a_QQ, a, rtol=0, atol=1e-15)
    np.testing.assert_allclose(found.b_Q, b, rtol=0, atol=1e-15)


@pytest.mark.parametrize("stages", [1, 4, 33, 100, 500])
@pytest.mark.parametrize(("method", "lost"), [(gauss_legendre, 0), (radau_iia, 1)])
def test_order_conditions(method, lost, stages):
    """B(2q) (Radau: 2q - 1): sum b c^(k-1) = 1/k; C(q): sum_j a_ij c_j^(k-1) = c_i^k / k; C(1) is the row sums."""
    a, b, c = method(stages)
    assert (np.diff(c) > 0).all() and c[0] > 0 and c[-1] <= 1 and (b > 0).all()
    for k in range(1, 2 * stages + 1 - lost):
        assert abs(b @ c ** (k - 1) - 1 / k) < 1e-14
    for k in range(1, stages + 1):
        np.testing.assert_allclose(a @ c ** (k - 1), c**k / k, rtol=0, atol=1e-14)


@pytest.mark.parametrize("stages", [100, 500])
def test_they_integrate_every_legendre_polynomial(stages):
    """Powers are blind to high degrees; int_{-1}^x P_k = (P_{k+1} - P_{k-1}) / (2k + 1) is not."""
    a, b, c = gauss_legendre(stages)
    p = legendre(2 * c - 1, stages)
    for k in range(1, stages):
        np.testing.assert_allclose(a @ p[k], (p[k + 1] - p[k - 1]) / (2 * (2 * k + 1)), rtol=0, atol=1e-14)
        assert abs(b @ p[k]) < 1e-14


def logistic_error(method, stages, steps):
    """|u(1) - exact| of u' = u (1 - u), u(0) = 0.1, the stages by fixed-point iteration."""
    a, b, _ = method(stages)
    u, h = 0.1, 1 / steps
    for _ in range(steps):
        stage = np.full(stages, u)
        for _ in range(60):
            stage = u + h * a @ (stage * (1 - stage))
        u += h * b @ (stage * (1 - stage))
    return abs(u - 1 / (1 + 9 * math.exp(-1)))


@pytest.mark.parametrize(
    ("method", "stages", "order"), [(gauss_legendre, 1, 2), (gauss_legendre, 2, 4), (radau_iia, 2, 3)]
)
def test_order_on_an_equation(method, stages, order):
    steps = np.array([8, 16, 32, 64])
    errors = [logistic_error(method, stages, n) for n in steps]
    assert -np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("method", [gauss_legendre, radau_iia])
def test_no_stages(method):
    with pytest.raises(InputError, match="expected 1 stage or more, got 0"):
        method(0)
