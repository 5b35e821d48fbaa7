"""Findings as text for a terminal and as sections of a page."""

from collections.abc import Sequence

from zoo.diagnosis.finding import Finding
from zoo.reports.figure import Section
from zoo.reports.line_chart import line_chart


def lines(findings: Sequence[Finding]) -> list[str]:
    """Three lines a finding; one line where there is none."""
    if not findings:
        return ["nothing found: gradients, activations and steps are as they should be"]
    return [
        line
        for one in findings
        for line in (f"{one.title} ({one.confidence:.2f})", f"  {one.text}", f"  mend: {one.mend.text}")
    ]


def finding_sections(findings: Sequence[Finding]) -> list[Section]:
    """One section a finding: what was measured, its picture, the mend."""
    return [_section(one) for one in findings] or [Section("Nothing found", lines(findings)[0] + ".", [])]


def _section(one: Finding) -> Section:
    lead = f"{one.text}. Confidence {one.confidence:.2f}. Mend: {one.mend.text}."
    picture = one.picture
    figures = []
    if picture is not None:
        caption = ", ".join(f"{name} {value:.4g}" for name, value in one.evidence.items())
        figures.append(line_chart(dict(picture.lines), picture.x_label, picture.y_label, picture.log, caption))
    data = {"kind": one.kind, "layer": one.layer, "layers": list(one.layers), "step": one.step}
    data |= {"confidence": one.confidence, "evidence": dict(one.evidence), "text": one.text}
    data |= {"factors": dict(one.mend.factors), "settings": dict(one.mend.settings)}
    return Section(one.title[0].upper() + one.title[1:], lead, figures, data)
