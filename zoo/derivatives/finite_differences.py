"""A slope that autograd claims, against central differences of shrinking step, and what their disagreement means.

D(h) = (f(h) - f(-h)) / 2h = f'(0) + O(h^2); Richardson's (4 D(h/2) - D(h)) / 3 = f'(0) + O(h^4) (Richardson 1911). The
order seen in D says how smooth f is, the bend (f(h) - 2 f(0) + f(-h)) / h what it does at 0 itself: O(h) where f is
smooth, a constant (the difference of the one-sided slopes) at a kink, O(1 / h) at a jump.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

Verdict = Literal["agrees", "wrong gradient", "kink", "jump", "staircase"]
COARSEST, FINER, LEVELS = 2e-3, 32.0, 5  # three halved steps a level; the last level begins at 2e-9
ROUNDING, SINGLE = 2.0**-52, 2.0**-20  # of float64; a few of float32


@dataclass(frozen=True)
class Differences:
    """What three halved steps h, h/2, h/4 show of a slope.

    Attributes:
        steps: the three.
        slopes: D at each.
        value: Richardson's extrapolation from the two smaller steps.
        error: its estimated error: the last change, and rounding.
        rounding: the share of rounding in that.
        left, right: one-sided slopes at h/4.
        kink: right slope less left one, extrapolated to h = 0.
    """

    steps: tuple[float, float, float]
    slopes: tuple[float, float, float]
    value: float
    error: float
    rounding: float
    left: float
    right: float
    kink: float

    @property
    def bend(self) -> float:
        """Difference of the one-sided slopes at h/4."""
        return self.right - self.left


@dataclass(frozen=True)
class Comparison:
    """Whether a claimed slope is the function's.

    Attributes:
        verdict: see `compared`.
        claimed: by autograd.
        found: by finite differences.
        error: |claimed - found| relative to the larger of both, or to the given scale where that is larger.
        order: see `observed_order`.
        left, right: one-sided slopes at the smallest step that counts.
        height: of a jump.
        level: of steps at which they agreed, 0 the largest.
    """

    verdict: Verdict
    claimed: float
    found: float
    error: float
    order: float
    left: float
    right: float
    height: float = 0.0
    level: int = 0


def differences(f: Callable[[float], float], step: float, middle: float) -> Differences:
    """Central differences at step, step / 2 and step / 4.

    Args:
        f: of the distance along a line.
        step: h.
        middle: f(0).

    >>> round(differences(math.exp, 0.1, 1.0).value, 6)
    1.0
    """
    steps = (step, step / 2, step / 4)
    pairs = [(f(h), f(-h)) for h in steps]
    slopes = tuple((up - down) / (2 * h) for (up, down), h in zip(pairs, steps, strict=True))
    coarse, fine = ((4 * b - a) / 3 for a, b in pairwise(slopes))
    rounding = 4 * ROUNDING * max(abs(middle), *(abs(one) for pair in pairs for one in pair)) / steps[-1]
    right, left = ((y - middle) / h for y, h in zip(pairs[-1], (steps[-1], -steps[-1]), strict=True))
    kink = 2 * (right - left) - (pairs[1][0] - 2 * middle + pairs[1][1]) / steps[1]
    return Differences(steps, slopes, fine, abs(fine - coarse) + rounding, rounding, left, right, kink)


def observed_order(seen: Sequence[Differences], value: float) -> float:
    """p of |D(h) - value| = O(h^p), a straight line through the logarithms: 2 where f is smooth, 1 where kinks are
    crossed; NaN where rounding hides it, as it does for a straight f.

    >>> round(observed_order([differences(math.exp, 0.1, 1.0)], 1.0), 2)
    2.0
    """
    points = [
        (math.log(h), math.log(abs(slope - value)))
        for one in seen
        for h, slope in zip(one.steps, one.slopes, strict=True)
        if abs(slope - value) > 10 * one.rounding
    ]
    if len(points) < 2:
        return math.nan
    x, y = (sum(column) / len(points) for column in zip(*points, strict=True))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def compared(
    f: Callable[[float], float],
    claimed: float,
    middle: float,
    scale: float = 0.0,
    tolerance: float = 1e-6,
    level: int = 0,
) -> Comparison:
    """A claimed f'(0) against finite differences, at ever smaller steps until they agree.

    - agrees: differences whose own error is below the tolerance are within it of the claim.
    - kink: the one-sided slopes stay apart, and the claim is one of them or between.
    - jump: f itself is not continuous.
    - staircase: f is computed in lower precision, and does not move at all along the smallest steps.
    - wrong gradient: f is smooth (or has a kink whose slopes do not hold the claim), and its slope is another.

    Args:
        f: of the distance along a line, in float64.
        claimed: its slope at 0.
        middle: f(0).
        scale: smallest size that counts; a slope far below it is as good as zero.
        tolerance: of the relative error.
        level: where to look first, 0 for the largest steps; all others are looked at before a disagreement is said.

    >>> compared(math.sin, 1.0, 0.0).verdict, compared(abs, 0.7, 0.0).verdict, compared(math.exp, 1.1, 1.0).verdict
    ('agrees', 'kink', 'wrong gradient')
    """
    seen: list[Differences] = []
    least = max(scale, 4 * ROUNDING * abs(middle) / (COARSEST / 4) / tolerance)  # what the largest steps can resolve
    for at in [*range(level, LEVELS), *range(level)]:
        one = differences(f, COARSEST / FINER**at, middle)
        seen.append(one)
        size = max(abs(claimed), abs(one.value), least)
        if max(abs(claimed - one.value), one.error) <= 1.01 * tolerance * size:
            kinked = _kinked(f, one, middle, tolerance * size)
            return _as("kink" if kinked else "agrees", seen, one, claimed, size, level=at)
    return _disagreement(sorted(seen, key=lambda one: -one.steps[0]), claimed, middle, least, tolerance)


def _kinked(f: Callable[[float], float], one: Differences, middle: float, least: float) -> bool:
    # |x| met in its middle agrees by chance, since the central slope is 0.
    if abs(one.kink) <= max(10 * least, 20 * one.rounding):
        return False
    finer = differences(f, one.steps[0] / FINER, middle)
    return abs(finer.kink) > max(0.5 * abs(one.kink), 20 * finer.rounding)


def _as(
    verdict: Verdict, seen: list[Differences], one: Differences, claimed: float, size: float, **more: Any
) -> Comparison:
    error, order = abs(claimed - one.value) / size, observed_order(seen, one.value)
    return Comparison(verdict, claimed, one.value, error, order, one.left, one.right, **more)


def _disagreement(seen: list[Differences], claimed: float, middle: float, scale: float, tolerance: float) -> Comparison:
    best = min(seen, key=lambda one: _doubt(one, seen))
    size = max(abs(claimed), abs(best.value), scale)
    if abs(claimed - best.value) <= tolerance * size and _doubt(best, seen) <= 100 * tolerance * size:
        return _as("agrees", seen, best, claimed, size)  # a small slope among kinks: as near as differences come
    flat = not any(seen[-1].slopes) and abs(seen[0].value) * seen[-1].steps[-1] > 10 * ROUNDING * abs(middle)
    if flat:
        return _as("staircase", seen, seen[0], claimed, size)
    # The smallest steps whose one-sided slopes are not rounding, and those before them.
    clear = [one for one in seen if abs(one.bend) > max(20 * one.rounding, tolerance * size)]
    unsettled = _doubt(best, seen) > max(tolerance * size, 0.1 * abs(claimed - best.value))
    if len(clear) < 2:
        return _as("staircase" if unsettled else "wrong gradient", seen, best, claimed, size)
    before, last = clear[-2:]
    growth = abs(last.bend) / abs(before.bend)  # a level: 1 / FINER where f is smooth, 1 at a kink, FINER at a jump
    if growth > FINER**0.5:
        height = abs(last.bend) * last.steps[-1]
        return _as("jump" if height > SINGLE * abs(middle) else "staircase", seen, last, claimed, size, height=height)
    slack = 0.05 * abs(last.bend)
    between = min(last.left, last.right) - slack <= claimed <= max(last.left, last.right) + slack
    if growth > FINER**-0.5 and between:
        return _as("kink", seen, last, claimed, size)
    return _as("staircase" if unsettled else "wrong gradient", seen, best, claimed, size)


def _doubt(one: Differences, seen: list[Differences]) -> float:
    # On a staircase three steps may agree by chance; other levels then do not.
    return max(one.error, min(abs(one.value - other.value) for other in seen if other is not one))
