"""Counts of true against predicted classes as colours."""

from html import escape

import numpy as np

from zoo.reports.colours import coloured, hex_colour
from zoo.reports.figure import Figure, Table


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
