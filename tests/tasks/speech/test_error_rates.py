"""Edit distance against its recursive definition; alignments that really lead from one to the other."""

import random
from functools import cache

import pytest

from tasks.speech.error_rates import alignment, confusion_pairs, edit_distance, error_rate


@cache
def by_recursion(said, heard):
    if not said or not heard:
        return len(said) + len(heard)
    return min(
        by_recursion(said[1:], heard[1:]) + (said[0] != heard[0]),
        by_recursion(said[1:], heard) + 1,
        by_recursion(said, heard[1:]) + 1,
    )


def test_distance_and_alignment_on_random_words():
    draw = random.Random(0)
    for _ in range(300):
        said, heard = ("".join(draw.choices("abc", k=draw.randint(0, 7))) for _ in range(2))
        steps = alignment(said, heard)
        assert edit_distance(said, heard) == by_recursion(said, heard) == sum(s.kind != "match" for s in steps)
        assert "".join(s.said for s in steps if s.said) == said
        assert "".join(s.heard for s in steps if s.heard) == heard
        assert all((s.kind == "match") == (s.said == s.heard) for s in steps)


def test_rates_are_over_all_units_said():
    rate = error_rate([(["a", "b", "c", "d"], ["a", "x", "c"]), (["e"], ["e", "f"])])
    assert (rate.substitutions, rate.deletions, rate.insertions, rate.said) == (1, 1, 1, 5)
    assert rate.rate == pytest.approx(0.6)
    assert error_rate([([], ["a"])]).rate == float("inf")
    assert error_rate([([], [])]).rate == 0


def test_confusions_are_counted():
    pairs = [("abab", "acac"), ("ab", "xb")]
    assert confusion_pairs(pairs) == [("b", "c", 2), ("a", "x", 1)]
