"""Labels that say nothing: the loss falls because examples come again.

Zhang et al. (2017), "Understanding deep learning requires rethinking generalization".
"""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend, Picture, confidence
from zoo.diagnosis.loss_curve import LossCurve, loss_curve
from zoo.diagnosis.readings import Readings
from zoo.diagnosis.step_size import steps_of
from zoo.diagnosis.thresholds import CHANCE, EPOCHS, LEARNT, READ_OFTEN, UNSHARED


def memorising_findings(readings: Readings) -> Iterator[Finding]:
    """The training loss falls far; no unseen example profits.

    With a validation set: its loss is best while the training loss has hardly fallen, and from there on only the
    training loss gets better. Without: the loss falls once every example has come several times, and the gradients of
    batches without a common example share no direction meanwhile.
    """
    curve = loss_curve(readings)
    if curve is None or curve.start <= 0:
        return
    validation = readings.whole("val/loss")
    judged = validation is not None and len(validation.values) > 2
    found = _by_validation(curve, validation) if judged else _by_direction(readings, curve)
    if found is None:
        return
    evidence, text = found
    yield Finding(
        kind="memorising",
        layer="",
        step=0,
        text=text,
        evidence={"training loss": curve.end / curve.start, **evidence},
        confidence=confidence(curve.end / curve.start, LEARNT),
        mend=Mend("check the labels and their order against the inputs; the net learns each example by heart"),
        picture=_picture(curve, validation),
    )


Evidence = tuple[dict[str, float], str]


def _by_validation(curve: LossCurve, validation) -> Evidence | None:
    at = int(np.nanargmin(validation.values))
    best, last = float(validation.values[at]), float(validation.values[-1])
    then = float(np.interp(validation.steps[at], curve.steps, curve.smooth))
    if best < CHANCE * curve.start or curve.end > LEARNT * then or last <= best:
        return None
    text = (
        f"the validation loss is best at step {validation.steps[at]}, at {best / curve.start:.2g} of the first loss, and "
        f"the training loss falls on to {curve.end / curve.start:.2g}"
    )
    return {"best unseen loss": best / curve.start, "last unseen loss": last / curve.start}, text


def _by_direction(readings: Readings, curve: LossCurve) -> Evidence | None:
    per_epoch, steps = readings.whole("batches_per_epoch"), steps_of(readings)
    if per_epoch is None or per_epoch.values[0] < 2 or steps is None or curve.end > LEARNT * curve.start:
        return None
    fallen = int(curve.steps[np.argmax(curve.smooth < LEARNT * curve.start)])
    level = np.interp(steps.steps, curve.steps, curve.smooth) / curve.start
    falling = (level < 0.95) & (level > 0.3)
    shared = float(np.nanmean(steps.cosine[falling])) if falling.sum() >= READ_OFTEN else 1.0
    if shared > UNSHARED or fallen < EPOCHS * per_epoch.values[0]:
        return None
    text = (
        f"the loss falls by half only after {fallen / per_epoch.values[0]:.1f} epochs, while gradients of different "
        f"batches agree by {shared:.2g}: examples are learnt one by one"
    )
    return {"cosine": shared, "epochs": fallen / float(per_epoch.values[0])}, text


def _picture(curve: LossCurve, validation) -> Picture:
    lines = {"training loss": (curve.steps, curve.smooth)}
    if validation is not None:
        lines["validation loss"] = (validation.steps, validation.values)
    return Picture(lines, y_label="loss")
