"""The page: one HTML file that needs no network, reads in light and dark, and prints."""

from html import escape
from typing import Any

from zoo.reports.figure import Section, shown

STYLE = """
:root{--paper:#fff;--ink:#1c1f24;--soft:#5d6673;--rule:#e3e6ea;--empty:#f0f2f4;--card:#f7f8fa;--accent:#0b6e99;
--l1:#0072b2;--l2:#d55e00;--l3:#009e73;--l4:#cc79a7;--l5:#b8860b;--l6:#56b4e9;--l7:#6b6b6b}
@media (prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e6e9ed;--soft:#98a2af;--rule:#2b3138;--empty:#22272d;
--card:#1b2026;--accent:#6cc4ea;--l1:#56b4e9;--l2:#ff9350;--l3:#2fd0a0;--l4:#e79fc4;--l5:#f0c84b;--l6:#9ad0f5;--l7:#a8a8a8}}
*{box-sizing:border-box}html{color-scheme:light dark}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:860px;margin:0 auto;padding:40px 24px 80px}
h1{font-size:30px;line-height:1.2;margin:0 0 4px}h2{font-size:21px;margin:52px 0 6px;padding-top:14px;border-top:1px solid var(--rule)}
.sub{color:var(--soft);margin:0 0 22px}.lead{color:var(--soft);margin:0 0 14px;max-width:68ch}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(136px,1fr));gap:10px;margin:0 0 8px}
.facts div{background:var(--card);border-radius:8px;padding:10px 14px}
.facts b{display:block;font-size:21px;font-variant-numeric:tabular-nums}.facts span{color:var(--soft);font-size:13px}
figure{margin:18px 0 26px}figcaption{color:var(--soft);font-size:14px;margin-top:4px}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{fill:var(--ink);font-family:inherit}.tick{font-size:11px;fill:var(--soft)}.label{font-size:12px;fill:var(--soft)}
.grid{stroke:var(--rule)}.axis{stroke:var(--soft)}.bar{fill:var(--accent)}
[class^=line-]{fill:none;stroke-width:1.6;stroke-linejoin:round}
.line-1{stroke:var(--l1)}.line-2{stroke:var(--l2)}.line-3{stroke:var(--l3)}.line-4{stroke:var(--l4)}.line-5{stroke:var(--l5)}
.line-6{stroke:var(--l6)}.line-7{stroke:var(--l7)}
.dot-1,.key-1{fill:var(--l1);background:var(--l1)}.dot-2,.key-2{fill:var(--l2);background:var(--l2)}
.dot-3,.key-3{fill:var(--l3);background:var(--l3)}.dot-4,.key-4{fill:var(--l4);background:var(--l4)}
.dot-5,.key-5{fill:var(--l5);background:var(--l5)}.dot-6,.key-6{fill:var(--l6);background:var(--l6)}
.dot-7,.key-7{fill:var(--l7);background:var(--l7)}
.legend{display:flex;flex-wrap:wrap;gap:2px 18px;font-size:13px;color:var(--soft);margin-bottom:6px}
.legend i{display:inline-block;width:14px;height:3px;border-radius:2px;margin-right:6px;vertical-align:middle}
.pictures{display:flex;flex-wrap:wrap;gap:12px;margin-bottom:14px}.pictures div{width:min-content}
.pictures img{display:block;image-rendering:pixelated;border-radius:4px;border:1px solid var(--rule)}
.pictures small{display:block;color:var(--soft);font-size:12px;line-height:1.35;margin-top:3px}
details{margin-top:6px;font-size:13px}summary{cursor:pointer;color:var(--accent)}
.scroll{max-height:340px;overflow:auto;border:1px solid var(--rule);border-radius:6px;margin-top:6px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:3px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}th:first-child,td:first-child{text-align:left}
thead th{position:sticky;top:0;background:var(--card)}pre{overflow:auto;background:var(--card);padding:14px;border-radius:8px;font-size:13px}
@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--rule:#ccc;--card:#f4f4f4;--empty:#eee}main{max-width:none;padding:0}
figure,.facts{break-inside:avoid}h2{break-after:avoid}details{display:none}body{font-size:12px}}
@media (max-width:520px){main{padding:22px 14px 60px}h1{font-size:24px}}
"""


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
