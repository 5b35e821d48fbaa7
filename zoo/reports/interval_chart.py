"""Differences with their intervals and ranges, a row each, around the line of no difference."""

from dataclasses import dataclass
from html import escape
from math import isfinite

from zoo.reports.axes import Axis, tick_label
from zoo.reports.figure import Figure, Table

WIDTH, ROW, BOTTOM, RIGHT = 720, 26, 36, 170


@dataclass(frozen=True)
class Span:
    """A mean, its interval, and the range of what it is the mean of."""

    mean: float
    interval: tuple[float, float]
    range: tuple[float, float] | None = None


def interval_chart(spans: dict[str, Span], x_label: str = "", caption: str = "", table: Table | None = None) -> Figure:
    """Dot for the mean, thick line for the interval, thin line for the range; an interval that is much wider than the
    means are apart is cut at the edge, with an arrow, lest it flatten all others."""
    table = table or Table(["name", "mean", "low", "high"], [[n, s.mean, *s.interval] for n, s in spans.items()])
    if not spans:
        return Figure("<p>Nothing was measured.</p>", caption, table)
    left = 16 + 6.6 * max(len(name) for name in spans)
    axis = Axis(*_ends(list(spans.values())), left, WIDTH - RIGHT)
    base = ROW * len(spans) + 8
    body = [_frame(axis, base, x_label)]
    for i, (name, span) in enumerate(spans.items()):
        body.append(_row(name, span, axis, 8 + i * ROW + ROW / 2 - 4))
    size = f"0 0 {WIDTH} {base + BOTTOM}"
    svg = f'<svg viewBox="{size}" role="img" aria-label="{escape(x_label or "intervals")}">{"".join(body)}</svg>'
    return Figure(svg, caption, table)


def _ends(spans: list[Span]) -> tuple[float, float]:
    points = [0.0, *(s.mean for s in spans), *(end for s in spans for end in s.range or ())]
    low, high = min(points), max(points)
    spread = (high - low) or 1.0
    for span in spans:
        low = max(min(low, span.interval[0]), min(points) - spread)
        high = min(max(high, span.interval[1]), max(points) + spread)
    return low - 0.04 * (high - low), high + 0.04 * (high - low)


def _frame(axis: Axis, base: float, x_label: str) -> str:
    parts = []
    ticks = axis.ticks()
    for tick in ticks:
        at, kind = axis.at(tick), "axis" if abs(tick) < 1e-12 else "grid"
        parts.append(f'<line class="{kind}" x1="{at:.1f}" x2="{at:.1f}" y1="4" y2="{base}"/>')
        text = tick_label(tick, step=ticks[1] - ticks[0] if len(ticks) > 1 else None)
        parts.append(f'<text class="tick" x="{at:.1f}" y="{base + 14}" text-anchor="middle">{text}</text>')
    parts.append(f'<text class="label" x="{axis.stop:.1f}" y="{base + 30}" text-anchor="end">{escape(x_label)}</text>')
    return "".join(parts)


def _row(name: str, span: Span, axis: Axis, y: float) -> str:
    parts = [f'<text class="tick" x="{axis.start - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>']
    if span.range:
        parts.append(_line("range", *span.range, axis, y))
    low, high = span.interval
    parts.append(_line("interval", low, high, axis, y))
    parts += [_arrow(axis.start, y, -1)] if low < axis.low else []
    parts += [_arrow(axis.stop, y, 1)] if high > axis.high else []
    parts.append(f'<circle class="dot-1" cx="{axis.at(span.mean):.1f}" cy="{y:.1f}" r="4.5"/>')
    form = "+.2f" if axis.high - axis.low > 0.2 else "+.2g"
    between = f"{low:{form}} to {high:{form}}" if isfinite(low) and isfinite(high) else "no interval"
    text = f"{span.mean:{form}} ({between})"
    parts.append(f'<text class="tick" x="{WIDTH - RIGHT + 12}" y="{y + 4:.1f}">{text}</text>')
    return "".join(parts)


def _line(kind: str, low: float, high: float, axis: Axis, y: float) -> str:
    a, b = axis.at(max(low, axis.low)), axis.at(min(high, axis.high))
    return f'<line class="{kind}" x1="{a:.1f}" x2="{b:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _arrow(x: float, y: float, way: int) -> str:
    return f'<path class="dot-1" d="M{x:.1f} {y - 5:.1f}L{x + 7 * way:.1f} {y:.1f}L{x:.1f} {y + 5:.1f}Z"/>'
