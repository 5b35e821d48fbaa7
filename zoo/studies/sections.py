"""The page of a study: verdicts first, then a plot and a table for every factor."""

from html import escape
from typing import Any

import numpy as np

from zoo.reports import Figure, Section, Span, Table, interval_chart, line_chart
from zoo.studies.conclusion import CONFIRMED, OPEN, REFUTED, UNMEASURED, Judged
from zoo.studies.design import Factor
from zoo.studies.measurements import Measurements

MARKS = {CONFIRMED: ("yes", "✓"), REFUTED: ("no", "✗"), OPEN: ("open", "~"), UNMEASURED: ("open", "–")}
RULE = (
    "A claim about two levels holds where the whole interval of their difference agrees with it, fails where none of "
    "it does, and is open in between or with fewer than five pairs of trainings. "
)
TOGETHER = "Those of one conclusion hold together at 95 % (Bonferroni)."
FOLDS_RULE = (
    f"{RULE}Intervals are corrected for the examples that the training sets share (Nadeau and Bengio 2003). {TOGETHER}"
)
SEEDS_RULE = (
    f"{RULE}The split is always the same: intervals are over the seeds of training alone and say nothing of other "
    f"examples. {TOGETHER}"
)


def study_facts(measured: Measurements, seconds: dict[str, float]) -> dict[str, Any]:
    """The cards at the top."""
    study = measured.study
    factor = study.factors[0]
    means = measured.means(factor, factor.baseline)
    return {
        f"baseline, {study.unit or study.metric}": float(means.mean()) if len(means) else float("nan"),
        "repetitions": measured.repetitions,
        "folds": study.folds if study.folds > 1 else "own split",
        "trainings done": len(seconds),
        "hours of one process": round(sum(seconds.values()) / 3600, 3),
    }


def study_sections(measured: Measurements, errors: dict[str, str]) -> list[Section]:
    """Everything below the cards."""
    sections = [factor_section(measured, factor) for factor in measured.study.factors]
    if verdicts := [one for one in measured.verdicts() if one.verdict != UNMEASURED]:
        rule = FOLDS_RULE if measured.study.folds > 1 else SEEDS_RULE
        sections.insert(0, Section("What the literature concludes, and what is seen here", rule, [verdicts_figure(
            verdicts, measured.study.unit)], {"verdicts": [_as_data(one) for one in verdicts]}))  # fmt: skip
    if errors:
        table = Table(["level", "error of its first cell"], [[*pair] for pair in errors.items()])
        lead = "These are left out above; the same command tries them again."
        sections.append(Section("Levels that could not be measured", lead, [Figure(table.html())], {"errors": errors}))
    return sections


def verdicts_figure(verdicts: list[Judged], unit: str) -> Figure:
    """The conclusions with their verdicts and what decided them."""
    rows = []
    for one in verdicts:
        kind, mark = MARKS[one.verdict]
        rows.append(
            f'<li><b class="verdict-{kind}">{mark} {escape(one.verdict)}</b><div>{escape(one.conclusion.text)}'
            f"<small>{escape(deciding(one))}</small></div></li>"
        )
    lines = [
        [one.conclusion.text, one.verdict, str(claim), interval.mean, interval.low, interval.high, _said(holds)]
        for one in verdicts
        for claim, interval, holds in one.evidence
    ]
    columns = ["conclusion", "verdict", "claim", f"difference ({unit})", "low", "high", "holds"]
    return Figure(f'<ul class="verdicts">{"".join(rows)}</ul>', table=Table(columns, lines))


def deciding(one: Judged) -> str:
    """The claim that the verdict hangs on, with its interval: one that fails or is open, else the one that holds by
    the least."""
    wanted = {REFUTED: False, OPEN: None, CONFIRMED: True}[one.verdict]
    fitting = [(claim, interval) for claim, interval, holds in one.evidence if holds is wanted]
    claim, interval = min(fitting, key=lambda pair: _slack(*pair))
    more = f"; {len(fitting) - 1} more like it" if len(fitting) > 1 else ""
    between = f"{interval.low:+.2f} to {interval.high:+.2f}"
    if not np.isfinite(interval.low):
        between = "no interval from one pair"
    return f"{claim}. Measured {interval.mean:+.2f} ({between}){more}"


def _slack(claim: Any, interval: Any) -> float:
    return min(interval.mean - claim.low, claim.high - interval.mean)


def factor_section(measured: Measurements, factor: Factor) -> Section:
    """Changes against the baseline: every level with its interval and range; a line where levels are numbers."""
    unit = measured.study.unit or measured.study.metric
    figures = [changes_chart(measured, factor)]
    if (line := numbers_chart(measured, factor)) is not None:
        figures.insert(0, line)
    lead = f"Change against the baseline ({factor.baseline}) in {unit}. {factor.note}".strip()
    return Section(factor.title, lead, figures)


def changes_chart(measured: Measurements, factor: Factor) -> Figure:
    """A row a level."""
    spans, rows = {}, []
    for level in factor.levels:
        means = measured.means(factor, level.name)
        summary = [means.mean(), means.min(), means.max()] if len(means) else [np.nan] * 3
        change = measured.change(factor, level.name, factor.baseline)
        changes = measured.changes(factor, level.name)
        range_ = (float(changes.min()), float(changes.max())) if len(changes) > 1 else None
        if level.overlay and change.pairs:
            spans[level.name] = Span(change.mean, (change.low, change.high), range_)
        seen = [change.mean, change.low, change.high] if level.overlay else ["baseline", "", ""]
        rows.append([level.name, *map(float, summary), *seen, change.pairs])
    unit = measured.study.unit or measured.study.metric
    table = Table(["level", "mean", "min", "max", "change", "low", "high", "cells"], rows)
    caption = (
        "Dot: mean change; thick line: its 95 % interval; thin line: least and greatest repetition. "
        "The vertical line is the baseline."
    )
    return interval_chart(spans, f"change in {unit}", caption, table)


def numbers_chart(measured: Measurements, factor: Factor) -> Figure | None:
    """The mean change over the numbers of a factor with the range of the repetitions; None for fewer than three."""
    placed = sorted((level for level in factor.levels if level.place is not None), key=lambda level: level.place)
    seen = [(level.place, measured.changes(factor, level.name)) for level in placed]
    seen = [(place, changes) for place, changes in seen if len(changes)]
    if len(seen) < 3:
        return None
    x = np.array([place for place, _ in seen])
    mean, least, most = (np.array([f(changes) for _, changes in seen]) for f in (np.mean, np.min, np.max))
    bands = {"change": (least, most)} if any(len(changes) > 1 for _, changes in seen) else {}
    caption = "Mean over whole repetitions" + ("; shaded: least and greatest repetition." if bands else ".")
    return line_chart({"change": (x, mean)}, factor.title.lower(), "change", caption=caption, bands=bands)


def _as_data(one: Judged) -> dict[str, Any]:
    return {"conclusion": one.conclusion.text, "verdict": one.verdict, "because": deciding(one)}


def _said(holds: bool | None) -> str:
    return {True: "yes", False: "no", None: "open"}[holds]
