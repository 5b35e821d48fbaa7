"""The strong Wolfe search on functions with known minima, hard ones, and ones that are not finite everywhere."""

import math

import pytest

from zoo.errors import InputError
from zoo.optim.line_search import Point, cubic_minimum, secant_root, strong_wolfe

# phi, phi'; the last five are those of More and Thuente (1994), whose starts range over seven decades.
BETA = 0.004


def more_thuente_2(t):
    return (t + BETA) ** 5 - 2 * (t + BETA) ** 4, 5 * (t + BETA) ** 4 - 8 * (t + BETA) ** 3


def more_thuente_3(t):
    low, high, wave = 1 - 0.01, 1 + 0.01, 39 * math.pi / 2
    hinge = 1 - t if t <= low else t - 1 if t >= high else (t - 1) ** 2 / 0.02 + 0.005
    bend = -1.0 if t <= low else 1.0 if t >= high else (t - 1) / 0.01
    return hinge + 2 * 0.99 / (39 * math.pi) * math.sin(wave * t), bend + 0.99 * math.cos(wave * t)


def yanai(beta1, beta2):
    g1, g2 = (math.sqrt(1 + b * b) - b for b in (beta1, beta2))

    def phi(t):
        up, down = math.hypot(1 - t, beta2), math.hypot(t, beta1)
        return g1 * up + g2 * down, g1 * (t - 1) / up + g2 * t / down

    return phi


FUNCTIONS = {
    "quadratic": lambda t: ((t - 3) ** 2, 2 * (t - 3)),
    "quartic far away": lambda t: ((t - 1e4) ** 4, 4 * (t - 1e4) ** 3),
    "rational": lambda t: (-t / (t * t + 2), (t * t - 2) / (t * t + 2) ** 2),
    "near the start": more_thuente_2,
    "oscillating": more_thuente_3,
    "concave": yanai(0.001, 0.001),
    "steep left": yanai(0.01, 0.001),
    "steep right": yanai(0.001, 0.01),
}


@pytest.mark.parametrize("curvature", [0.9, 0.1, 0.01])
@pytest.mark.parametrize("first", [1e-3, 1e-1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_both_conditions_hold_where_the_search_ends(name, first, curvature):
    phi = FUNCTIONS[name]
    start = Point(0.0, *phi(0.0))
    found = strong_wolfe(phi, start, first, curvature=curvature, decrease=1e-4, evaluations=60)
    step, value, slope = found.point
    assert found.wolfe and (value, slope) == phi(step)
    assert value <= start.value + 1e-4 * step * start.slope + 1e-15 * abs(start.value)
    assert abs(slope) <= curvature * abs(start.slope)


def test_a_good_first_trial_costs_one_evaluation():
    found = strong_wolfe(FUNCTIONS["quadratic"], Point(0.0, 9.0, -6.0), 2.0)
    assert found.point.step == 2.0 and found.evaluations == 1


def test_values_that_are_not_finite_are_walked_back_from():
    def phi(t):
        return (math.nan, math.nan) if t > 1e-3 else ((t - 1e-3) ** 2, 2 * (t - 1e-3))

    found = strong_wolfe(phi, Point(0.0, 1e-6, -2e-3), 1.0)
    assert 0 < found.point.step <= 1e-3 and found.point.value < 1e-6


def test_where_nothing_is_lower_the_step_is_zero():
    found = strong_wolfe(lambda t: (1.0 + t, 1.0), Point(0.0, 1.0, -1.0), evaluations=8)
    assert found.point == (0.0, 1.0, -1.0) and found.evaluations == 8 and not found.wolfe


def test_no_minimum_at_all_ends_with_the_evaluations():
    found = strong_wolfe(lambda t: (-t, -1.0), Point(0.0, 0.0, -1.0), evaluations=6)
    assert found.evaluations == 6 and found.point.step >= 2**5 and not found.wolfe


@pytest.mark.parametrize("first", [0.3, 0.9, 30.0])
def test_slopes_decide_where_values_are_all_rounding(first):
    """1e6 + (t - 1)^2 1e-12: no value differs from another, yet the slope says where the minimum is."""

    def phi(t):
        return 1e6 + 1e-12 * (t - 1) ** 2, 2e-12 * (t - 1)

    found = strong_wolfe(phi, Point(0.0, *phi(0.0)), first, curvature=0.01)
    assert found.wolfe and found.point.step == pytest.approx(1.0, abs=0.01) and found.evaluations < 10
    assert not strong_wolfe(phi, Point(0.0, *phi(0.0)), first, curvature=0.01, rounding=0.0).wolfe


def test_the_secant_is_exact_on_parabolas():
    assert secant_root(Point(0.0, 9.0, -6.0), Point(1.0, 4.0, -4.0)) == 3.0
    assert math.isnan(secant_root(Point(0.0, 0.0, 1.0), Point(1.0, 1.0, 1.0)))


def test_the_cubic_is_exact_on_cubics():
    def cubic(t):
        return Point(t, t**3 - 3 * t, 3 * t * t - 3)

    assert cubic_minimum(cubic(0.2), cubic(2.5)) == pytest.approx(1.0)
    assert cubic_minimum(cubic(2.5), cubic(0.2)) == pytest.approx(1.0)
    assert math.isnan(cubic_minimum(Point(0.0, 0.0, 1.0), Point(1.0, 1.0, 1.0)))


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda: strong_wolfe(abs, Point(0.0, 1.0, 1.0)), "direction of descent"),
        (lambda: strong_wolfe(abs, Point(0.0, 1.0, math.nan)), "direction of descent"),
        (lambda: strong_wolfe(abs, Point(0.0, 1.0, -1.0), curvature=1e-5), "decrease < curvature"),
        (lambda: strong_wolfe(abs, Point(0.0, 1.0, -1.0), 0.0), "first > 0"),
    ],
)
def test_common_mistakes(act, says):
    with pytest.raises(InputError, match=says):
        act()
