"""report.html and report.json, each written in one move."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from zoo.atomic import write_atomically
from zoo.reports.figure import Section
from zoo.reports.page import page


def write_report(
    folder: Path,
    title: str,
    subtitle: str,
    facts: dict[str, Any],
    sections: list[Section],
    config: str = "",
    stem: str = "report",
) -> Path:
    """Write `<stem>.html`, the same numbers as `<stem>.json` and the figures' files into `folder`; returns the page's
    path."""
    for name, content in (file for section in sections for figure in section.figures for file in figure.files.items()):
        write_atomically(folder / name, content)
    data = {"title": title, "subtitle": subtitle, "facts": facts, "sections": [_as_data(s) for s in sections]}
    write_atomically(folder / f"{stem}.json", json.dumps(plain(data), allow_nan=False) + "\n")
    write_atomically(folder / f"{stem}.html", page(title, subtitle, facts, sections, config))
    return folder / f"{stem}.html"


def _as_data(section: Section) -> dict[str, Any]:
    figures = [
        {"caption": figure.caption, "columns": figure.table.columns, "rows": figure.table.rows}
        for figure in section.figures
        if figure.table
    ]
    return {"title": section.title, "figures": figures, "data": section.data}


def plain(value: Any) -> Any:
    """Numbers, texts, lists and mappings that strict JSON has; NaN and infinity become null.

    >>> plain({"a": np.array([1.0, float("nan")])})
    {'a': [1.0, None]}
    """
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
