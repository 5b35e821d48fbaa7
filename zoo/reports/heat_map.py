"""Grids of numbers as colours: layers x steps, or a confusion matrix."""

from html import escape

import numpy as np

from zoo.errors import InputError
from zoo.reports.axes import tick_label
from zoo.reports.colours import SIGNED, VIRIDIS, coloured, hex_colour
from zoo.reports.figure import Figure, Table, shown
from zoo.reports.images import png_data

WIDTH = 720
MOST_COLUMNS = 240


def heat_map(
    values_RC: np.ndarray,
    rows: list[str],
    columns: list,
    log: bool = True,
    x_label: str = "step",
    caption: str = "",
    signed: bool = False,
) -> Figure:
    """Rows x columns as colours, with a scale; many columns are averaged into fewer.

    Args:
        values_RC: numbers; NaN is grey, and so is what is not positive where `log` is set.
        rows, columns: labels.
        log: colour by the logarithm; averages are geometric then.
        x_label: what the columns are.
        caption: a sentence under the picture.
        signed: blue below zero, red above, white at zero; not together with `log`.

    Raises:
        InputError: `log` and `signed` together.
    """
    if log and signed:
        raise InputError("heat_map: expected log or signed, got both; logarithms have no sign")
    table = Table([x_label, *rows], [[c, *values_RC[:, i].tolist()] for i, c in enumerate(columns)])
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.log10(np.where(values_RC > 0, values_RC, np.nan)) if log else np.asarray(values_RC, float)
    binned = binned_columns(scaled, MOST_COLUMNS)
    finite = binned[np.isfinite(binned)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if signed:
        low, high = -max(abs(low), abs(high)), max(abs(low), abs(high))
    high = high if high > low else low + 1
    stops = SIGNED if signed else VIRIDIS
    image = png_data(coloured((binned - low) / (high - low), stops))
    left, _, _, height = plot_box(rows)
    row_height = height / len(rows)
    body = [
        f'<image href="{image}" x="{left}" y="4" width="{WIDTH - left - 8}" height="{height}" '
        'preserveAspectRatio="none" style="image-rendering:pixelated"/>'
    ]
    every = -(-len(rows) * 11 // max(int(height), 1))  # a label needs 11 pixels
    for i, row in enumerate(rows):
        y = 4 + (i + 0.5) * row_height
        if i % every == 0:
            body.append(
                f'<text class="tick" x="{left - 6}" y="{y + 3.5:.1f}" text-anchor="end">{escape(_short(row))}</text>'
            )
        text = f"{row}: {_span(values_RC[i])}"
        body.append(f'<rect x="{left}" y="{y - row_height / 2:.1f}" width="{WIDTH - left - 8}" height="{row_height}" '
                    f'fill="transparent"><title>{escape(text)}</title></rect>')  # fmt: skip
    for share in (0, 0.25, 0.5, 0.75, 1):
        label = columns[round(share * (len(columns) - 1))]
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        x = left + share * (WIDTH - left - 8)
        body.append(
            f'<text class="tick" x="{x:.1f}" y="{height + 18}" text-anchor="{anchor}">{escape(str(label))}</text>'
        )
    body.append(_scale(left, height + 30, low, high, log, x_label, stops))
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {height + 62:.0f}" role="img" aria-label="{escape(x_label)}">{"".join(body)}</svg>'
    )
    return Figure(svg, caption, table)


def plot_box(rows: list[str]) -> tuple[float, float, float, float]:
    """Left, top, width and height of the coloured part, so that other pictures can stand above it or on it."""
    left = min(230, 14 + 6.4 * max(len(row) for row in rows))
    row_height = max(7, min(18, 420 / len(rows)))
    return left, 4.0, WIDTH - left - 8, row_height * len(rows)


def binned_columns(values_RC: np.ndarray, most: int) -> np.ndarray:
    """At most `most` columns, each the mean of the finite values of its stretch."""
    if values_RC.shape[1] <= most:
        return values_RC
    parts = np.array_split(np.arange(values_RC.shape[1]), most)
    finite = np.isfinite(values_RC)
    sums = np.stack([np.where(finite, values_RC, 0)[:, part].sum(1) for part in parts], 1)
    counts = np.stack([finite[:, part].sum(1) for part in parts], 1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def confusion_matrix(counts_CC: np.ndarray, names: list[str], caption: str = "") -> Figure:
    """Counts of true (rows) against predicted (columns) classes, the number in every cell that is not zero."""
    classes = len(names)
    cell = min(46, 560 / classes)
    left, top = 14 + 7 * max(len(name) for name in names), 34
    shares = counts_CC / np.maximum(counts_CC.sum(1, keepdims=True), 1)
    extra = 60 if any(len(name) > 3 for name in names) else 0
    body = [f'<text class="label" x="{left}" y="{12 - extra}">predicted</text>']
    for i, name in enumerate(names):
        at = (i + 0.5) * cell
        body.append(f'<text class="tick" x="{left - 6}" y="{top + at + 4:.1f}" text-anchor="end">{escape(name)}</text>')
        turn = f"translate({left + at:.1f} {top - 6})" + (" rotate(-40)" if len(name) > 3 else "")
        anchor = "start" if len(name) > 3 else "middle"
        body.append(f'<text class="tick" transform="{turn}" text-anchor="{anchor}">{escape(name)}</text>')
        for j, other in enumerate(names):
            body.append(_cell(counts_CC[i, j], shares[i, j], left + j * cell, top + i * cell, cell, name, other))
    side = left + classes * cell + 8 + extra
    box = f"0 {-extra} {side:.0f} {top + classes * cell + 8 + extra:.0f}"
    style = f'style="max-width:{side:.0f}px" role="img" aria-label="confusion matrix"'
    svg = f'<svg viewBox="{box}" {style}>{"".join(body)}</svg>'
    rows = [[name, *counts_CC[i].tolist()] for i, name in enumerate(names)]
    return Figure(svg, caption, Table(["true \\ predicted", *names], rows))


def _cell(count: float, share: float, x: float, y: float, side: float, true: str, predicted: str) -> str:
    fill = hex_colour(coloured(np.array(share**0.5))) if count else "var(--empty)"
    title = f"{true} taken for {predicted}: {int(count)}"
    ink = "#111" if share > 0.5 else "#fff"
    text = (
        f'<text x="{x + side / 2:.1f}" y="{y + side / 2 + 4:.1f}" text-anchor="middle" class="tick" style="fill:{ink}">'
        f"{int(count)}</text>"
        if count and side > 16
        else ""
    )
    return (
        f'<g><title>{escape(title)}</title><rect x="{x:.1f}" y="{y:.1f}" width="{side - 1:.1f}" '
        f'height="{side - 1:.1f}" rx="2" fill="{fill}"/>{text}</g>'
    )


def _scale(left: float, top: float, low: float, high: float, log: bool, x_label: str, stops: np.ndarray) -> str:
    ramp = png_data(coloured(np.linspace(0, 1, 64)[None], stops))
    marks = [low, (low + high) / 2, high]
    words = [f'<text class="label" x="{WIDTH - 8}" y="{top}" text-anchor="end">{escape(x_label)}</text>']
    words.append(f'<image href="{ramp}" x="{left}" y="{top + 2}" width="180" height="9" preserveAspectRatio="none"/>')
    for mark, share, anchor in zip(marks, (0, 0.5, 1), ("start", "middle", "end"), strict=True):
        value = 10**mark if log else mark
        label = (
            f"{value:.1e}" if log and (abs(mark) >= 3) else tick_label(value, step=None if log else (high - low) / 2)
        )
        words.append(
            f'<text class="tick" x="{left + 180 * share}" y="{top + 23}" text-anchor="{anchor}">{label}</text>'
        )
    return "".join(words)


def _span(row: np.ndarray) -> str:
    finite = row[np.isfinite(row)]
    return f"{shown(float(finite.min()))} to {shown(float(finite.max()))}" if len(finite) else "no values"


def _short(name: str) -> str:
    return name if len(name) <= 34 else "…" + name[-33:]
