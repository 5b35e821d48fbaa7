"""Labels that say nothing: the loss falls because examples come again. Zhang et al. (2017), "Understanding deep learning
requires rethinking generalization"."""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend, Picture, confidence
from zoo.diagnosis.loss_curve import LossCurve, loss_curve
from zoo.diagnosis.readings import Readings
from zoo.diagnosis.step_size import steps_of
from zoo.diagnosis.thresholds import CHANCE, LEARNT, UNSHARED


def memorising_findings(readings: Readings) -> Iterator[Finding]:
    """The training loss falls far; no unseen example profits.

    Unseen are the validation set, if there is one, or else the batches of the first epoch, each seen for the first time;
    in later epochs gradients of different batches share no direction while the loss falls.
    """
    curve = loss_curve(readings)
    if curve is None or curve.end > LEARNT * curve.start or curve.start <= 0:
        return
    best = _best_unseen(readings, curve)
    if best is None or best < CHANCE * curve.start:
        return
    shared = _shared_direction(readings, curve)
    if readings.whole("val/loss") is None and not shared < UNSHARED:
        return
    onset = int(curve.steps[np.argmax(curve.smooth < LEARNT * curve.start)])
    yield Finding(
        kind="memorising",
        layer="",
        step=onset,
        text=f"the training loss fell to {curve.end / curve.start:.2g} of its start, on examples not seen before it is at "
        f"{best / curve.start:.2g}",
        evidence={"training loss": curve.end / curve.start, "unseen loss": best / curve.start, "cosine": shared},
        confidence=confidence(curve.start / max(curve.end, 1e-300), 1 / LEARNT),
        mend=Mend("check the labels and their order against the inputs; the net learns each example by heart"),
        picture=Picture({"training loss": (curve.steps, curve.smooth)}, y_label="loss"),
    )


def _best_unseen(readings: Readings, curve: LossCurve) -> float | None:
    validation = readings.whole("val/loss")
    if validation is not None and len(validation.values) > 1:
        return float(np.nanmin(validation.values))
    per_epoch = readings.whole("batches_per_epoch")
    batches = int(per_epoch.values[0]) if per_epoch is not None else 0
    first = curve.values[curve.steps < batches]
    if len(first) < 10 or readings.last_step < 2 * batches:
        return None
    return float(np.median(first[-len(first) // 3 :]))


def _shared_direction(readings: Readings, curve: LossCurve) -> float:
    """Mean cosine of successive gradients while the loss falls from 0.9 to 0.3 of its start."""
    steps = steps_of(readings)
    if steps is None:
        return 1.0
    level = np.interp(steps.steps, curve.steps, curve.smooth) / curve.start
    falling = (level < 0.95) & (level > 0.3)
    return float(np.nanmean(steps.cosine[falling])) if falling.sum() >= 3 else 1.0
