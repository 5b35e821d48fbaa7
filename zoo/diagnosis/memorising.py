"""Labels that say nothing: the loss falls because examples come again.

Zhang et al. (2017), "Understanding deep learning requires rethinking generalization".
"""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend, Picture, confidence
from zoo.diagnosis.loss_curve import LossCurve, loss_curve
from zoo.diagnosis.readings import Readings
from zoo.diagnosis.thresholds import CHANCE, EPOCH_BATCHES, EPOCHS, LEARNT, WITHIN


def memorising_findings(readings: Readings) -> Iterator[Finding]:
    """The training loss falls far; no unseen example profits.

    With a validation set: its loss is best while the training loss has hardly fallen, and from there on only the
    training loss gets better. Without one: the loss is a staircase. Within an epoch every example is as new as at its
    start, so that what is learnt of one batch alone shows when its examples come again, an epoch later.
    """
    curve = loss_curve(readings)
    if curve is None or curve.start <= 0:
        return
    validation = readings.whole("val/loss")
    judged = validation is not None and len(validation.values) > 2
    found = _by_validation(curve, validation) if judged else _by_epochs(readings, curve)
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
        f"the validation loss is best at step {validation.steps[at]}, {best / curve.start:.2g} of the first loss, and "
        f"the training loss goes on to {curve.end / curve.start:.2g}"
    )
    return {"best unseen loss": best / curve.start, "last unseen loss": last / curve.start}, text


def _by_epochs(readings: Readings, curve: LossCurve) -> Evidence | None:
    per_epoch = readings.whole("batches_per_epoch")
    batches = int(per_epoch.values[0]) if per_epoch is not None else 0
    if batches < EPOCH_BATCHES or curve.end > LEARNT * curve.start or len(curve.values) < curve.steps[-1]:
        return None
    epochs_EB = curve.values[: len(curve.values) // batches * batches].reshape(-1, batches)
    means_E = epochs_EB.mean(1)
    last = int(np.argmax(means_E < 0.3 * curve.start)) if (means_E < 0.3 * curve.start).any() else len(means_E) - 1
    falling_EB = epochs_EB[: last + 1]
    if len(falling_EB) <= EPOCHS:
        return None
    half = batches // 2
    inside = 2 * float((falling_EB[:, :half].mean(1) - falling_EB[:, -half:].mean(1)).sum())
    # Batches differ: where chance alone could hide a fall within epochs, nothing is said.
    spread = 2 * float(np.sqrt((falling_EB[:, :half].var(1) + falling_EB[:, -half:].var(1)).sum() / half))
    fall = float(means_E[0] - means_E[last])
    share = inside / fall
    if share + 2 * spread / fall > WITHIN:
        return None
    text = (
        f"over {last + 1} epochs the loss falls in steps, when examples come again: {100 * max(share, 0):.0f} % of its "
        "fall is within epochs, on examples that were not in the batches since"
    )
    return {"share within epochs": share, "epochs": float(last + 1)}, text


def _picture(curve: LossCurve, validation) -> Picture:
    lines = {"training loss": (curve.steps, curve.smooth)}
    if validation is not None:
        lines["validation loss"] = (validation.steps, validation.values)
    return Picture(lines, y_label="loss")
