"""All detectors over one record."""

import warnings
from collections.abc import Callable, Iterator

from zoo.diagnosis.activations import dead_findings, saturated_findings
from zoo.diagnosis.batch_size import large_findings, small_findings
from zoo.diagnosis.clipping import always_findings, never_findings
from zoo.diagnosis.depth import depth_findings
from zoo.diagnosis.finding import KINDS, Finding
from zoo.diagnosis.initial_scale import scale_findings
from zoo.diagnosis.learning_rate import high_findings, low_findings
from zoo.diagnosis.loss_terms import conflict_findings
from zoo.diagnosis.memorising import memorising_findings
from zoo.diagnosis.nonfinite import nonfinite_findings
from zoo.diagnosis.normalisation import norm_findings
from zoo.diagnosis.optimiser import decay_findings, epsilon_findings
from zoo.diagnosis.parameters import frozen_findings, unused_findings
from zoo.diagnosis.readings import Readings, RecordLike
from zoo.diagnosis.spikes import spike_findings

Detector = Callable[[Readings], Iterator[Finding]]

DETECTORS: tuple[Detector, ...] = (
    nonfinite_findings, unused_findings, frozen_findings, norm_findings, scale_findings, dead_findings,
    saturated_findings, depth_findings, epsilon_findings, decay_findings, always_findings, never_findings,
    high_findings, low_findings, spike_findings, small_findings, large_findings, memorising_findings,
    conflict_findings,
)  # fmt: skip

# What is judged by the course of the loss says nothing where the loss is another function from step to step.
BY_THE_LOSS = (high_findings, low_findings, spike_findings, small_findings, large_findings, memorising_findings,
               conflict_findings)  # fmt: skip

# A kind -> those that follow from it and say nothing more where it was found no later.
IMPLIES: dict[str, tuple[str, ...]] = {
    "dead": ("unused",),
    "epsilon": ("learning_rate_low",),
    "clipping_always": ("learning_rate_low",),
    "weight_decay": ("learning_rate_low", "learning_rate_high", "vanishing"),
    "learning_rate_high": ("batch_small", "unused"),
    "nonfinite": ("unused",),
    "learning_rate_low": ("batch_large",),
    "norm_statistics": ("batch_small",),
    "memorising": ("batch_small",),
}
LATER = 20  # steps by which the reading of a cause may lag behind that of what follows from it


def diagnose(record: RecordLike) -> list[Finding]:
    """Findings of a run, the earliest first, causes before what follows from them, each kind and layer once.

    >>> from zoo.training.record import Record
    >>> diagnose(Record())
    []
    """
    readings = Readings(record)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a layer that was not read at a step is NaN there, by design
        moving = readings.whole("moving_objective") is not None
        chosen = [detector for detector in DETECTORS if not (moving and detector in BY_THE_LOSS)]
        found = [finding for detector in chosen for finding in detector(readings)]
    order = list(KINDS)
    return sorted(without_consequences(found), key=lambda one: (one.step, order.index(one.kind)))


def without_consequences(found: list[Finding]) -> list[Finding]:
    """Findings without those that another one implies."""
    implied = {(kind, cause.step) for cause in found for kind in IMPLIES.get(cause.kind, ())}
    return [one for one in found if not any(one.kind == kind and one.step >= step - LATER for kind, step in implied)]
