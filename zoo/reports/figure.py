"""What a page is made of: tables, figures with a table behind them, sections."""

from dataclasses import dataclass, field
from html import escape
from typing import Any

LONGEST = 200  # rows of a table on the page; report.json holds all of them


@dataclass(frozen=True)
class Table:
    """Columns by name and rows of plain values."""

    columns: list[str]
    rows: list[list[Any]]

    def html(self) -> str:
        """The table; a long one keeps every k-th row, and says so."""
        rows, note = self.rows, ""
        if len(rows) > LONGEST:
            every = -(-len(rows) // LONGEST)
            rows = rows[::every]
            note = f"<p>Every {every}th of {len(self.rows):,} rows; report.json has all of them.</p>"
        head = "".join(f"<th>{escape(str(column))}</th>" for column in self.columns)
        body = "".join("<tr>" + "".join(f"<td>{escape(shown(v))}</td>" for v in row) + "</tr>" for row in rows)
        return f'{note}<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


@dataclass(frozen=True)
class Figure:
    """A picture (SVG or HTML), a caption, the numbers it was drawn from, and files (name -> bytes) beside the page."""

    body: str
    caption: str = ""
    table: Table | None = None
    files: dict[str, bytes] = field(default_factory=dict)

    def html(self) -> str:
        """The picture with its table folded away."""
        caption = f"<figcaption>{escape(self.caption)}</figcaption>" if self.caption else ""
        table = f"<details><summary>Numbers</summary>{self.table.html()}</details>" if self.table else ""
        return f"<figure>{self.body}{caption}{table}</figure>"


@dataclass(frozen=True)
class Section:
    """A title, one or two sentences on how to read it, figures, and data for report.json only."""

    title: str
    lead: str
    figures: list[Figure]
    data: dict[str, Any] = field(default_factory=dict)


def shown(value: Any) -> str:
    """A value as a reader wants it: four significant digits, whole numbers whole.

    >>> shown(0.123456), shown(1234567), shown(float("nan")), shown(99.0)
    ('0.1235', '1,234,567', '–', '99')
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if value != value:
        return "–"
    return f"{value:.4g}" if abs(value) < 1e4 or abs(value) == float("inf") else f"{value:.3e}"
