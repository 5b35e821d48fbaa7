"""Means, intervals and ranges stand where their numbers say; what is far too wide is cut with an arrow."""

import re

import pytest

from zoo.reports import Span, Table, interval_chart


def lines(svg: str, kind: str) -> list[tuple[float, float]]:
    """(x1, x2) of the lines of a kind."""
    return [(float(a), float(b)) for a, b in re.findall(rf'class="{kind}" x1="([\d.]+)" x2="([\d.]+)"', svg)]


def dots(svg: str) -> list[float]:
    """Where the means are."""
    return [float(x) for x in re.findall(r'<circle class="dot-1" cx="([\d.]+)"', svg)]


def test_marks_stand_where_the_numbers_say():
    svg = interval_chart({"a": Span(1.0, (0.0, 2.0), (0.5, 1.5)), "b": Span(-1.0, (-2.0, 0.0))}).body
    (zero, _), *_ = lines(svg, "axis")
    a, b = dots(svg)
    unit = a - zero
    assert unit > 0 and b == pytest.approx(zero - unit, abs=0.2)
    first, second = lines(svg, "interval")
    assert first == pytest.approx((zero, zero + 2 * unit), abs=0.2)
    assert second == pytest.approx((zero - 2 * unit, zero), abs=0.2)
    assert lines(svg, "range") == [pytest.approx((zero + unit / 2, zero + 1.5 * unit), abs=0.2)]
    assert "+1.00 (+0.00 to +2.00)" in svg and "<path" not in svg


def test_a_wide_interval_does_not_flatten_the_others():
    svg = interval_chart(
        {"a": Span(1.0, (0.5, 1.5)), "b": Span(-1.0, (-500.0, 500.0)), "c": Span(0.0, (-float("inf"), float("inf")))}
    ).body
    a, b, _ = dots(svg)
    assert a - b > 100
    assert svg.count("<path") == 4 and "no interval" in svg  # arrows at both ends of two rows
    assert all(0 <= x <= 720 for pair in lines(svg, "interval") for x in pair)


def test_names_are_escaped_and_nothing_is_nothing():
    svg = interval_chart({"<b>": Span(1.0, (0.5, 1.5))}, "<i>").body
    assert "<b>" not in svg and "<i>" not in svg and "&lt;b&gt;" in svg
    assert "Nothing was measured" in interval_chart({}, table=Table(["a"], [])).body
