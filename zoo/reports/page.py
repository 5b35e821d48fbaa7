"""The page: one HTML file that needs no network, reads in light and dark, and prints."""

from html import escape
from pathlib import Path
from typing import Any

from zoo.reports.figure import Section, shown

STYLE = (Path(__file__).parent / "style.css").read_text(encoding="utf8")


def page(title: str, subtitle: str, facts: dict[str, Any], sections: list[Section], config: str = "") -> str:
    """The whole HTML page.

    Args:
        title, subtitle: its head.
        facts: key figures, shown as cards.
        sections: in their order.
        config: the resolved configuration, folded away at the end.
    """
    cards = "".join(f"<div><b>{escape(shown(v))}</b><span>{escape(k)}</span></div>" for k, v in facts.items())
    body = "".join(_section(section) for section in sections)
    if config:
        body += f"<h2>Recipe</h2><details><summary>Every value used</summary><pre>{escape(config)}</pre></details>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f'<h1>{escape(title)}</h1><p class="sub">{escape(subtitle)}</p><div class="facts">{cards}</div>{body}'
        "</main></body></html>\n"
    )


def _section(section: Section) -> str:
    figures = "".join(figure.html() for figure in section.figures)
    return f'<section><h2>{escape(section.title)}</h2><p class="lead">{escape(section.lead)}</p>{figures}</section>'
