"""Lines over steps, as inline SVG that follows the page's colours."""

from html import escape

import numpy as np

from zoo.reports.axes import Axis, tick_label
from zoo.reports.figure import Figure, Table

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 260, 56, 12, 10, 34
MOST_POINTS = 600
COLOURS = 7  # --line-1 .. --line-7 in the page's style

Lines = dict[str, tuple[np.ndarray, np.ndarray]]
Bands = dict[str, tuple[np.ndarray, np.ndarray]]


def line_chart(
    lines: Lines,
    x_label: str = "step",
    y_label: str = "",
    log_y: bool = False,
    caption: str = "",
    bands: Bands | None = None,
) -> Figure:
    """One line a name; NaN leaves a gap, long lines keep the least and the greatest value of every stretch.

    Args:
        lines: name -> (x [S], y [S]).
        x_label, y_label: texts of the axes.
        log_y: logarithmic y; values that are not positive are left out.
        caption: a sentence under the picture.
        bands: name of a line -> (low [S], high [S]) at its x, shaded behind it.
    """
    bands = bands or {}
    cleaned = {name: _cleaned(x, y, log_y) for name, (x, y) in lines.items()}
    edges = {
        (name, i): _cleaned(lines[name][0], edge, log_y) for name, both in bands.items() for i, edge in enumerate(both)
    }
    xs = np.concatenate([x for x, _ in cleaned.values()])
    ys = np.concatenate([y[np.isfinite(y)] for _, y in [*cleaned.values(), *edges.values()]])
    table = _table({**lines, **{f"{name}, {('low', 'high')[i]}": xy for (name, i), xy in edges.items()}}, x_label)
    if len(ys) == 0:
        return Figure("<p>No finite values.</p>", caption, table)
    x_axis = Axis(float(xs.min()), float(xs.max()), LEFT, WIDTH - RIGHT)
    y_axis = Axis(*_range(ys, log_y), HEIGHT - BOTTOM, TOP, log_y)
    body = [_frame(x_axis, y_axis, x_label, y_label)]
    for name in bands:
        colour = list(lines).index(name) % COLOURS + 1
        body.append(_band(edges[name, 0], edges[name, 1], x_axis, y_axis, colour))
    for i, (name, (x, y)) in enumerate(cleaned.items()):
        body.append(_line(name, *thinned(x, y, MOST_POINTS), x_axis, y_axis, i % COLOURS + 1))
    label = escape(y_label or "chart")
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(body)}</svg>'
    return Figure(_legend(list(lines)) + svg, caption, table)


def thinned(x: np.ndarray, y: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` points, among them the least and the greatest of every stretch, so that no spike is lost."""
    if len(x) <= most:
        return x, y
    kept = []
    for part in np.array_split(np.arange(len(x)), most // 2):
        values = np.where(np.isfinite(y[part]), y[part], np.nan)
        if np.isnan(values).all():
            kept.append(part[:1])
        else:
            kept.append(np.unique([part[np.nanargmin(values)], part[np.nanargmax(values)]]))
    chosen = np.concatenate(kept)
    return x[chosen], y[chosen]


def _cleaned(x: np.ndarray, y: np.ndarray, log: bool) -> tuple[np.ndarray, np.ndarray]:
    y = np.asarray(y, float)
    return np.asarray(x, float), np.where(y > 0, y, np.nan) if log else y


def _range(ys: np.ndarray, log: bool) -> tuple[float, float]:
    low, high = float(ys.min()), float(ys.max())
    if low == high:
        around = abs(low) / 2 or 0.5
        return (low / 2, high * 2) if log else (low - around, high + around)
    if log:
        return low, high
    margin = 0.04 * (high - low)
    return low - margin, high + margin


def _frame(x: Axis, y: Axis, x_label: str, y_label: str) -> str:
    parts = []
    y_step, x_step = (_step(axis.ticks()) for axis in (y, x))
    longest = max((len(tick_label(tick, y.log, y_step)) for tick in y.ticks()), default=0)
    for tick in y.ticks():
        at, text = y.at(tick), tick_label(tick, y.log, y_step)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{text}</text>')
    for tick in x.ticks():
        at, text = x.at(tick), tick_label(tick, step=x_step)
        parts.append(f'<text class="tick" x="{at:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{text}</text>')
    base = HEIGHT - BOTTOM
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    parts.append(f'<text class="label" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{escape(x_label)}</text>')
    middle = (TOP + base) / 2
    aside = 6 * max(0, longest - 5)  # long ticks would lie under the label
    parts.append(
        f'<text class="label" transform="translate({12 - aside} {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>"
    )
    return "".join(parts)


def _step(ticks: list[float]) -> float | None:
    return ticks[1] - ticks[0] if len(ticks) > 1 else None


def _line(name: str, xs: np.ndarray, ys: np.ndarray, x: Axis, y: Axis, colour: int) -> str:
    words, drawing = [], False
    for a, b in zip(xs, ys, strict=True):
        if np.isfinite(b):
            words.append(f"{'L' if drawing else 'M'}{x.at(a):.1f} {y.at(b):.1f}")
        drawing = bool(np.isfinite(b))
    dots = ""
    if len(words) <= 12:  # few points: show where they are
        dots = "".join(
            f'<circle class="dot-{colour}" cx="{x.at(a):.1f}" cy="{y.at(b):.1f}" r="3"/>'
            for a, b in zip(xs, ys, strict=True)
            if np.isfinite(b)
        )
    return f'<path class="line-{colour}" d="{"".join(words)}"><title>{escape(name)}</title></path>{dots}'


def _band(
    low: tuple[np.ndarray, np.ndarray], high: tuple[np.ndarray, np.ndarray], x: Axis, y: Axis, colour: int
) -> str:
    xs, lows, highs = low[0], low[1], high[1]
    kept = np.isfinite(lows) & np.isfinite(highs)
    parts = np.array_split(np.flatnonzero(kept), min(int(kept.sum()), MOST_POINTS // 2) or 1)
    parts = [part for part in parts if len(part)]
    there = [(xs[part[0]], highs[part].max()) for part in parts]
    back = [(xs[part[0]], lows[part].min()) for part in reversed(parts)]
    points = " ".join(f"{x.at(a):.1f},{y.at(b):.1f}" for a, b in there + back)
    return f'<polygon class="band-{colour}" points="{points}"/>'


def _legend(names: list[str]) -> str:
    if len(names) < 2:
        return ""
    items = (f'<span><i class="key-{i % COLOURS + 1}"></i>{escape(name)}</span>' for i, name in enumerate(names))
    return f'<div class="legend">{"".join(items)}</div>'


def _table(lines: Lines, x_label: str) -> Table:
    if len({tuple(x) for x, _ in lines.values()}) == 1:
        x = next(iter(lines.values()))[0]
        columns = [y.tolist() for _, y in lines.values()]
        return Table([x_label, *lines], [list(row) for row in zip(x.tolist(), *columns, strict=True)])
    rows = [[name, a, b] for name, (x, y) in lines.items() for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    return Table(["line", x_label, "value"], rows)
