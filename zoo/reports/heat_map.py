"""Grids of numbers as colours, such as layers x steps."""

from dataclasses import dataclass
from html import escape

import numpy as np

from zoo.errors import InputError
from zoo.reports.axes import tick_label
from zoo.reports.colours import SIGNED, VIRIDIS, coloured
from zoo.reports.figure import Figure, Table, shown
from zoo.reports.images import png_data

WIDTH = 720
MOST_COLUMNS = 240
TICK_HEIGHT, LETTER = 11, 6.4  # pixels


@dataclass(frozen=True)
class Scale:
    """Values `low .. high` (logarithms of them where `log` is set) over a colour map."""

    low: float
    high: float
    log: bool
    stops: np.ndarray

    @classmethod
    def of(cls, scaled: np.ndarray, log: bool, signed: bool) -> "Scale":
        """Over all that is finite; about zero where it is signed."""
        finite = scaled[np.isfinite(scaled)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        if signed:
            low, high = -max(abs(low), abs(high)), max(abs(low), abs(high))
        return cls(low, high if high > low else low + 1, log, SIGNED if signed else VIRIDIS)

    def coloured(self, scaled: np.ndarray) -> np.ndarray:
        """Bytes [..., 3]."""
        return coloured((scaled - self.low) / (self.high - self.low), self.stops)

    def label(self, mark: float) -> str:
        """Text of a tick."""
        value = 10**mark if self.log else mark
        if self.log and abs(mark) >= 3:
            return f"{value:.1e}"
        return tick_label(value, step=None if self.log else (self.high - self.low) / 2)


def heat_map(
    values_RC: np.ndarray,
    rows: list[str],
    columns: list,
    log: bool = True,
    x_label: str = "step",
    caption: str = "",
    signed: bool = False,
    blank: bool = False,
) -> Figure:
    """Rows x columns as colours, with a scale; many columns are averaged into fewer.

    Args:
        values_RC: numbers; NaN is grey, and so is what is not positive where `log` is set.
        rows, columns: labels.
        log: colour by the logarithm; averages are geometric then.
        x_label: what the columns are.
        caption: a sentence under the picture.
        signed: blue below zero, red above, white at zero; not together with `log`.
        blank: NaN is no part of the picture, and left out in place of grey.

    Raises:
        InputError: `log` and `signed` together.
    """
    if log and signed:
        raise InputError("heat_map: expected log or signed, got both; logarithms have no sign")
    table = Table([x_label, *rows], [[c, *values_RC[:, i].tolist()] for i, c in enumerate(columns)])
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.log10(np.where(values_RC > 0, values_RC, np.nan)) if log else np.asarray(values_RC, float)
    binned = binned_columns(scaled, MOST_COLUMNS)
    scale, (left, _, _, height) = Scale.of(binned, log, signed), plot_box(rows)
    pixels = scale.coloured(binned)
    if blank:
        pixels = with_holes(pixels, np.isnan(binned_columns(np.asarray(values_RC, float), MOST_COLUMNS)))
    body = [_picture(pixels, left, height), *_row_labels(rows, left, height), *_row_titles(values_RC, rows)]
    body += [*_column_labels(columns, left, height + 18), _ramp(scale, left, height + 30, x_label)]
    box = f"0 0 {WIDTH} {height + 62:.0f}"
    return Figure(
        f'<svg viewBox="{box}" role="img" aria-label="{escape(x_label)}">{"".join(body)}</svg>', caption, table
    )


def with_holes(rgb: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Bytes [..., 4], transparent where there is a hole."""
    return np.concatenate([rgb, np.where(holes, 0, 255).astype(np.uint8)[..., None]], -1)


def plot_box(rows: list[str]) -> tuple[float, float, float, float]:
    """Left, top, width and height of the coloured part, so that other pictures can stand above it or on it."""
    left = min(230, 14 + LETTER * max(len(row) for row in rows))
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


def _picture(pixels: np.ndarray, left: float, height: float) -> str:
    return (
        f'<image href="{png_data(pixels)}" x="{left}" y="4" width="{WIDTH - left - 8}" height="{height}" '
        'preserveAspectRatio="none" style="image-rendering:pixelated"/>'
    )


def _row_labels(rows: list[str], left: float, height: float) -> list[str]:
    every = -(-len(rows) * TICK_HEIGHT // max(int(height), 1))
    middles = ((i, 4 + (i + 0.5) * height / len(rows)) for i in range(0, len(rows), every))
    return [
        f'<text class="tick" x="{left - 6}" y="{y + 3.5:.1f}" text-anchor="end">{escape(_short(rows[i]))}</text>'
        for i, y in middles
    ]


def _row_titles(values_RC: np.ndarray, rows: list[str]) -> list[str]:
    left, top, width, height = plot_box(rows)
    each = height / len(rows)
    return [
        f'<rect x="{left}" y="{top + i * each:.1f}" width="{width}" height="{each}" fill="transparent">'
        f"<title>{escape(f'{row}: {_span(values_RC[i])}')}</title></rect>"
        for i, row in enumerate(rows)
    ]


def _column_labels(columns: list, left: float, y: float) -> list[str]:
    """Up to five columns named under their middles, inside the picture; what reads the same is said once."""
    chosen = {round(share * (len(columns) - 1)) for share in (0, 0.25, 0.5, 0.75, 1)}
    named = {str(columns[i]): i for i in sorted(chosen, reverse=True)}
    words = []
    for label, i in reversed(named.items()):
        half = LETTER / 2 * len(label)
        x = min(max(left + (i + 0.5) / len(columns) * (WIDTH - left - 8), left + half), WIDTH - 8 - half)
        words.append(f'<text class="tick" x="{x:.1f}" y="{y}" text-anchor="middle">{escape(label)}</text>')
    return words


def _ramp(scale: Scale, left: float, top: float, x_label: str) -> str:
    ramp = png_data(coloured(np.linspace(0, 1, 64)[None], scale.stops))
    words = [f'<text class="label" x="{WIDTH - 8}" y="{top + 23}" text-anchor="end">{escape(x_label)}</text>']
    words.append(f'<image href="{ramp}" x="{left}" y="{top + 2}" width="180" height="9" preserveAspectRatio="none"/>')
    for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end")):
        label = scale.label(scale.low + share * (scale.high - scale.low))
        words.append(
            f'<text class="tick" x="{left + 180 * share}" y="{top + 23}" text-anchor="{anchor}">{label}</text>'
        )
    return "".join(words)


def _span(row: np.ndarray) -> str:
    finite = row[np.isfinite(row)]
    return f"{shown(float(finite.min()))} to {shown(float(finite.max()))}" if len(finite) else "no values"


def _short(name: str) -> str:
    return name if len(name) <= 34 else "…" + name[-33:]
