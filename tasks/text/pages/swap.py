"""The page of swaps: how far the answer moves when one group's terms stand in the place of another's.

Legend: L = templates, P = pairs of terms, C = classes.
"""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tasks.text.class_logit import evaluating
from tasks.text.data import TextData
from tasks.text.groups import Along, Swapped, along, crossed_interval, swapped
from tasks.text.swaps import read_swaps
from zoo.errors import InputError
from zoo.reports import Figure, Section, Span, Table, interval_chart

if TYPE_CHECKING:
    from tasks.text.task import SentenceClassification

MOST_CLASSES = 6  # shown of a swap; report.json has all
MOST_SENTENCES = 10
LEAD = (
    "One word of a template sentence is swapped for another; the answer should not move where the words mean nothing "
    "for it. Change: of the log-odds of a class, log p/(1-p), from the first group to the second. Derivative: of the "
    "log-odds at the first sentence along v(second) - v(first), the direction of the swap in the space of word "
    "vectors; averaged over the way it equals the change. Intervals: 95 %, templates and pairs both taken as drawn "
    "from many more; one that leaves out 0 says that the net treats the groups differently in sentences such as these."
)


def swap_section(task: "SentenceClassification", data: TextData, templates: str | Path = "default") -> Section:
    """Every swap of a file of templates.

    Raises:
        InputError: a bad file, or no swap with a pair of terms that the vocabulary has.
    """
    figures, rows, unread = [], [], []
    for swap in read_swaps(templates):
        try:
            found = evaluating(task.net, lambda swap=swap: swapped(task.net, data.tokeniser, swap))
        except InputError as error:
            unread.append(str(error))
            continue
        classes = shown_classes(found)
        lines = {c: evaluating(task.net, lambda c=c, found=found: along(task.net, found, c)) for c in classes}
        figures += swap_figures(found, lines, data.class_names)
        rows += [[swap.name, *row] for row in sentence_rows(found, lines, data.class_names)]
    if not figures:
        raise InputError(f"--swap: expected a swap whose terms the net knows, got none; {unread[0]}")
    if unread:
        figures.append(Figure("", " ".join(f"Left out: {line}." for line in unread)))
    columns = ["swap", "template", "from", "to", "class", "p before", "p after", "change", "derivative", "average"]
    return Section("Swapped groups", LEAD, figures, {"columns": columns, "rows": rows})


def shown_classes(found: Swapped) -> list[int]:
    """The last of two classes, whose log-odds are the other's with the sign turned; else those that change most."""
    classes = found.change_LPC.shape[2]
    if classes == 2:
        return [1]
    moved_C = found.change_LPC.mean((0, 1)).abs()
    return sorted(moved_C.topk(min(MOST_CLASSES, classes)).indices.tolist())


def swap_figures(found: Swapped, lines: dict[int, Along], class_names: list[str]) -> list[Figure]:
    """Mean change and derivative of every class that is shown; then the sentences that change most."""
    spans, rows = {}, []
    for c, line in lines.items():
        change_LP = found.change_LPC[:, :, c]
        quantities = {"change": change_LP}
        if line.slope_LP.numel():
            quantities["derivative"] = line.slope_LP
        for quantity, values_LP in quantities.items():
            one = crossed_interval(values_LP)
            range_ = (float(values_LP.min()), float(values_LP.max()))
            spans[f"{class_names[c]}: {quantity}"] = Span(one.mean, (one.low, one.high), range_)
            rows.append([class_names[c], quantity, one.mean, one.low, one.high, *range_, points(found, c)])
    columns = ["class", "quantity", "mean", "low", "high", "least", "greatest", "probability, points"]
    chart = interval_chart(spans, "log-odds", caption(found, lines, class_names), Table(columns, rows))
    return [
        Figure(f"<h3>{escape(found.swap.name)}</h3>{chart.body}", chart.caption, chart.table),
        strongest(found, lines, class_names),
    ]


def points(found: Swapped, c: int) -> float:
    """Mean change of the probability of a class, in points of 100."""
    return 100 * float((found.after_LPC - found.before_LPC)[:, :, c].mean())


def caption(found: Swapped, lines: dict[int, Along], class_names: list[str]) -> str:
    """What the picture stands on."""
    shares = ", ".join(f"{class_names[c]} {points(found, c):+.2f} points" for c in lines)
    text = (
        f"{len(found.swap.templates)} templates x {len(found.pairs)} pairs. Mean change of the probability: {shares}."
    )
    classes = found.change_LPC.shape[2]
    if classes > len(lines) and classes > 2:
        text += f" Shown are the {len(lines)} of {classes} classes that change most, which makes them look certain."
    for what, count in (("pair", len(found.pairs)), ("template", len(found.swap.templates))):
        if count == 1:
            text += f" One {what} alone: the intervals say nothing of other {what}s."
    if found.unknown:
        text += f" Not in the vocabulary, left out with their pairs: {', '.join(found.unknown)}."
    uneven = [pair for pair, even in zip(found.pairs, found.even_P.tolist(), strict=True) if not even]
    if uneven:
        names = ", ".join(f"{a} / {b}" for a, b in uneven)
        text += f" Of unlike length in tokens, without a derivative: {names}."
    return text + " Thin lines: least and greatest sentence."


def strongest(found: Swapped, lines: dict[int, Along], class_names: list[str]) -> Figure:
    """The sentences whose answer changes most, over the classes that are shown."""
    rows = sorted(sentence_rows(found, lines, class_names), key=lambda row: -abs(row[6]))[:MOST_SENTENCES]
    shown = [[row[0].replace(f"{{{found.swap.slot}}}", f"[{row[1]} → {row[2]}]"), *row[3:8]] for row in rows]
    table = Table(["sentence", "class", "p before", "p after", "change", "derivative"], shown)
    return Figure(table.html(), "The sentences whose log-odds change most; p: probability of the class.")


def sentence_rows(found: Swapped, lines: dict[int, Along], class_names: list[str]) -> list[list]:
    """One row a template, pair and class."""
    rows = []
    for c, line in lines.items():
        slope_LP, path_LP = (spread(values_LP, found.even_P) for values_LP in (line.slope_LP, line.path_LP))
        for i, template in enumerate(found.swap.templates):
            for p, (first, second) in enumerate(found.pairs):
                tables = (
                    found.before_LPC[..., c],
                    found.after_LPC[..., c],
                    found.change_LPC[..., c],
                    slope_LP,
                    path_LP,
                )
                rows.append([template, first, second, class_names[c], *(float(table[i, p]) for table in tables)])
    return rows


def spread(values_LP: torch.Tensor, even_P: torch.Tensor) -> torch.Tensor:
    """Values of the even pairs at the places of all pairs, NaN elsewhere."""
    whole_LP = values_LP.new_full((len(values_LP), len(even_P)), torch.nan)
    whole_LP[:, even_P] = values_LP
    return whole_LP
