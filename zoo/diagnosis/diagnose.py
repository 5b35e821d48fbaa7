"""All detectors over one record."""

from collections.abc import Callable, Iterator

from zoo.diagnosis.activations import dead_findings, saturated_findings
from zoo.diagnosis.depth import depth_findings
from zoo.diagnosis.finding import KINDS, Finding
from zoo.diagnosis.readings import Readings, RecordLike

Detector = Callable[[Readings], Iterator[Finding]]

DETECTORS: tuple[Detector, ...] = (
    dead_findings,
    saturated_findings,
    depth_findings,
)


def diagnose(record: RecordLike) -> list[Finding]:
    """Findings of a run, root causes first, each kind and layer once.

    >>> from zoo.training.record import Record
    >>> diagnose(Record())
    []
    """
    readings = Readings(record)
    found = [finding for detector in DETECTORS for finding in detector(readings)]
    order = list(KINDS)
    return sorted(found, key=lambda one: (order.index(one.kind), one.step))
