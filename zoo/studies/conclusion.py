"""Conclusions as claims about differences, and the rule by which each is confirmed, not confirmed, or left open.

A claim says that the difference of two levels lies in a range. It holds where the whole interval of the difference
lies in the range, fails where none of it does, and is open otherwise. With fewer than five pairs it is always open:
accuracies are counts, so that two or three differences are equal by chance more often than a t interval allows for.

A conclusion needs `every` claim of one list and `some` of another: confirmed where they hold, not confirmed where one
of `every` fails or all of `some` do, else too noisy to say. The intervals of a conclusion hold together at 95 %
(Bonferroni over the pairs of levels it compares).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from zoo.studies.intervals import CONFIDENCE, Interval

CONFIRMED, REFUTED, OPEN, UNMEASURED = "confirmed", "not confirmed", "too noisy to say", "not measured"
FEWEST = 5  # pairs
# (factor, level, other, confidence) -> interval of level - other; None where one of them was not measured
IntervalOf = Callable[[str, str, str, float], Interval | None]


@dataclass(frozen=True)
class Claim:
    """low < figure(level) - figure(other) < high, on the page's scale."""

    factor: str
    level: str
    other: str
    low: float = -inf
    high: float = inf

    def __str__(self) -> str:
        between = f"{self.level} against {self.other}"
        if self.low == -inf:
            return f"{between}: below {self.high:+g}" if self.high else f"{between}: worse"
        if self.high == inf:
            return f"{between}: above {self.low:+g}" if self.low else f"{between}: better"
        return f"{between}: between {self.low:+g} and {self.high:+g}"

    def holds(self, interval: Interval) -> bool | None:
        """True, False, or None where the interval does not tell.

        >>> Claim("f", "a", "b", low=0).holds(Interval(1.0, 0.5, 1.5, 9))
        True
        """
        if interval.pairs < FEWEST:
            return None
        if self.low < interval.low and interval.high < self.high:
            return True
        if interval.high <= self.low or interval.low >= self.high:
            return False
        return None


@dataclass(frozen=True)
class Conclusion:
    """A sentence of the literature and the claims that it is made of."""

    text: str
    every: tuple[Claim, ...] = ()
    some: tuple[Claim, ...] = ()

    @property
    def claims(self) -> tuple[Claim, ...]:
        """All of them."""
        return self.every + self.some


@dataclass(frozen=True)
class Judged:
    """A conclusion, its verdict, and the interval of every claim with whether it holds."""

    conclusion: Conclusion
    verdict: str
    evidence: tuple[tuple[Claim, Interval, bool | None], ...] = ()


def judged(conclusion: Conclusion, interval_of: IntervalOf) -> Judged:
    """The verdict on a conclusion (see the head of this file)."""
    comparisons = len({(c.factor, frozenset((c.level, c.other))) for c in conclusion.claims})
    confidence = 1 - (1 - CONFIDENCE) / comparisons
    evidence = []
    for claim in conclusion.claims:
        interval = interval_of(claim.factor, claim.level, claim.other, confidence)
        if interval is None:
            return Judged(conclusion, UNMEASURED)
        evidence.append((claim, interval, claim.holds(interval)))
    answers = [holds for _, _, holds in evidence]
    every, some = answers[: len(conclusion.every)], answers[len(conclusion.every) :]
    if False in every or (some and all(answer is False for answer in some)):
        verdict = REFUTED
    elif all(every) and (not some or True in some):
        verdict = CONFIRMED
    else:
        verdict = OPEN
    return Judged(conclusion, verdict, tuple(evidence))
