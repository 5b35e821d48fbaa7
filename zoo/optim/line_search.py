"""Line search by the strong Wolfe conditions. Nocedal and Wright (2006), algorithms 3.5 and 3.6.

Near a minimum values differ by less than their rounding while slopes are still good to many digits; there slopes
decide, after the approximate Wolfe conditions of Hager and Zhang (2005).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from zoo.errors import InputError


class Point(NamedTuple):
    """phi and phi' at a step along the line."""

    step: float
    value: float
    slope: float


class Found(NamedTuple):
    """Where a search ended: step 0 where nothing lower was found, `wolfe` where both conditions hold."""

    point: Point
    evaluations: int
    wolfe: bool


def strong_wolfe(
    phi: Callable[[float], tuple[float, float]],
    start: Point,
    first: float = 1.0,
    decrease: float = 1e-4,
    curvature: float = 0.9,
    evaluations: int = 25,
    rounding: float = 1e-15,
) -> Found:
    """A step t with phi(t) <= phi(0) + decrease t phi'(0) and |phi'(t)| <= curvature |phi'(0)|.

    A value that is not finite counts as too high. When the evaluations are spent, the lowest point that meets the
    first condition is returned, or step 0.

    Args:
        phi: t -> (value, slope) along a direction.
        start: phi at 0, with a negative slope.
        first: trial.
        decrease: c1 of the book.
        curvature: c2 of the book; small makes the search nearly exact.
        evaluations: of phi, at most.
        rounding: share of |phi(0)| within which values cannot be told apart.

    Raises:
        InputError: a slope at 0 that does not descend; constants that do not fit together.

    >>> strong_wolfe(lambda t: ((t - 3) ** 2, 2 * (t - 3)), Point(0.0, 9.0, -6.0), curvature=0.1).point.step
    3.0
    """
    if not 0 < decrease < curvature < 1 or not first > 0 or evaluations < 1:
        raise InputError(
            "strong_wolfe: expected 0 < decrease < curvature < 1, first > 0 and evaluations >= 1, got "
            f"{decrease}, {curvature}, {first} and {evaluations}; mend the optimiser's arguments"
        )
    if not start.slope < 0:
        raise InputError(f"strong_wolfe: expected a direction of descent, got slope {start.slope}; turn it round")
    return _Search(phi, start, decrease, curvature, evaluations, rounding * abs(start.value)).bracket(first)


class _Search:
    """One search: what is fixed while it goes on, and how many evaluations are left."""

    def __init__(self, phi: Callable, start: Point, decrease: float, curvature: float, evaluations: int, noise: float):
        self.phi, self.start, self.limit = phi, start, evaluations
        self.decrease, self.curvature, self.noise = decrease, curvature, noise
        self.spent = 0

    def at(self, step: float) -> Point:
        self.spent += 1
        value, slope = self.phi(step)
        return Point(step, value if math.isfinite(value) else math.inf, slope)

    def low(self, point: Point) -> bool:
        if point.value <= self.start.value + self.decrease * point.step * self.start.slope:
            return True
        rise = (2 * self.decrease - 1) * self.start.slope
        return abs(point.value - self.start.value) <= self.noise and point.slope <= rise

    def higher(self, point: Point, other: Point) -> bool:
        return point.value > other.value + self.noise or (self.noise == 0 and point.value == other.value)

    def flat(self, point: Point) -> bool:
        return abs(point.slope) <= -self.curvature * self.start.slope

    def found(self, point: Point) -> Found:
        return Found(point, self.spent, point.step > 0 and self.low(point) and self.flat(point))

    def bracket(self, step: float) -> Found:
        """Algorithm 3.5: steps grow until they enclose a minimum or one is good."""
        before = self.start
        while self.spent < self.limit:
            point = self.at(step)
            if not self.low(point) or (before.step > 0 and self.higher(point, before)):
                return self.zoom(before, point)
            if self.flat(point):
                return self.found(point)
            if point.slope >= 0:
                return self.zoom(point, before)
            # The cubic's minimum lies beyond the point; without one, a tenfold step.
            step = clamped(cubic_minimum(before, point), 2 * step, 10 * step, 10 * step)
            before = point
        return self.found(before)

    def zoom(self, low: Point, high: Point) -> Found:
        """Algorithm 3.6: `low` meets the first condition and the interval to `high` holds good steps."""
        while self.spent < self.limit and high.step != low.step:
            left, right = sorted((low.step, high.step))
            margin = 0.1 * (right - left)
            middle = left + (right - left) / 2
            alike = abs(low.value - high.value) <= self.noise
            guess = secant_root(low, high) if alike else cubic_minimum(low, high)
            step = clamped(guess, left + margin, right - margin, middle)
            if step in (left, right):  # the interval is as small as rounding allows
                break
            point = self.at(step)
            if not self.low(point) or self.higher(point, low):
                high = point
                continue
            if self.flat(point):
                return self.found(point)
            if point.slope * (high.step - low.step) >= 0:
                high = low
            low = point
        return self.found(low)


def cubic_minimum(a: Point, b: Point) -> float:
    """Minimum of the cubic with the values and slopes of two points, eq. 3.59; NaN where it has none.

    >>> cubic_minimum(Point(0.0, 1.0, -2.0), Point(3.0, 4.0, 4.0))
    1.0
    """
    try:
        d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step)
        d2 = math.copysign(math.sqrt(d1**2 - a.slope * b.slope), b.step - a.step)
        return b.step - (b.step - a.step) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)
    except (ValueError, ZeroDivisionError, OverflowError):
        return math.nan


def secant_root(a: Point, b: Point) -> float:
    """Where the slope is zero if it is linear; NaN where it is constant."""
    return a.step - a.slope * (b.step - a.step) / (b.slope - a.slope) if a.slope != b.slope else math.nan


def clamped(step: float, low: float, high: float, otherwise: float) -> float:
    """`step` moved into [low, high]; `otherwise` where it is not a number."""
    return min(max(step, low), high) if math.isfinite(step) else otherwise
