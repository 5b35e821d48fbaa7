"""Batch too small or wastefully large, by the gradient noise scale. McCandlish et al. (2018).

Gradients of successive batches agree by c = |G|^2 / (|G|^2 + noise): the noise scale is 1 / c - 1 batches.
"""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend, Picture, confidence
from zoo.diagnosis.loss_curve import loss_curve
from zoo.diagnosis.readings import Readings
from zoo.diagnosis.step_size import Steps, steps_of
from zoo.diagnosis.thresholds import (
    EARLY,
    LARGE_BATCH,
    MANY_ROWS,
    NOISE_SHARE,
    NOISY_COSINE,
    READ_OFTEN,
    SMALL_ROWS,
    STATIONARY,
    TRIED,
)


def small_findings(readings: Readings) -> Iterator[Finding]:
    """Steps are noise, and the noise alone keeps the loss up.

    In a stationary state of SGD on a quadratic, noise lifts the loss by eta tr Cov(g) / 4: a quarter of what a step
    promises, g . step (Mandt et al. 2017).
    """
    curve, steps, rows = loss_curve(readings), steps_of(readings), rows_of(readings)
    if curve is None or steps is None or readings.last_step < TRIED or not 0 < rows <= SMALL_ROWS:
        return
    late = steps.steps >= readings.last_step / 3
    cosine, lift = float(np.nanmean(steps.cosine[late])), float(np.nanmean(steps.promised[late])) / 4
    share = lift / max(abs(float(np.mean(curve.values[len(curve.values) // 3 :]))), 1e-300)
    quarter = len(curve.values) // 4
    goes_on = curve.values[-quarter:].mean() < STATIONARY * curve.values[quarter : 2 * quarter].mean()
    if goes_on or late.sum() < READ_OFTEN or cosine > NOISY_COSINE or share < NOISE_SHARE:
        return
    yield Finding(
        kind="batch_small",
        layer="",
        step=0,
        text=f"gradients of successive batches of {rows:.0f} agree by {cosine:.2g}, and their noise explains "
        f"{100 * min(share, 1):.0f} % of the loss that is left",
        evidence={"cosine": cosine, "noise in the loss": share, "batch": rows},
        confidence=confidence(share, NOISE_SHARE),
        mend=Mend(
            "a larger batch, or as much smaller a learning rate",
            factors={"data.init_args.batch_size": float(2 ** np.clip(np.ceil(np.log2(share / 0.05)), 2, 6))},
        ),
        picture=_picture(steps),
    )


def large_findings(readings: Readings) -> Iterator[Finding]:
    """Batches so large that any two give the same gradient, for most of the run."""
    steps, rows, curve = steps_of(readings), rows_of(readings), loss_curve(readings)
    per_epoch = readings.whole("batches_per_epoch")
    if steps is None or curve is None or rows < MANY_ROWS or readings.last_step < TRIED // 2:
        return
    if per_epoch is not None and per_epoch.values[0] < 2:
        return  # the whole set at once: successive gradients say nothing about noise
    even = steps.steps % EARLY == 0  # the first steps are read more often than others
    cosine = float(np.nanmedian(steps.cosine[even]))
    times = cosine / max(1 - cosine, 1e-6)
    if times < LARGE_BATCH or not curve.fell:
        return
    yield Finding(
        kind="batch_large",
        layer="",
        step=0,
        text=f"a batch of {rows:.0f} is {times:.3g} times the noise scale: smaller ones would give the same steps",
        evidence={"batch to noise scale": times, "cosine": cosine, "batch": rows},
        confidence=confidence(times, LARGE_BATCH),
        mend=Mend(
            "a smaller batch: as many steps, less work each",
            factors={"data.init_args.batch_size": float(2.0 ** -np.clip(np.floor(np.log2(times / 4)), 1, 5))},
        ),
        picture=_picture(steps),
    )


def rows_of(readings: Readings) -> float:
    """Examples of a step, 0 where it is not known."""
    one = readings.whole("batch_rows")
    return float(np.median(one.values)) if one is not None else 0.0


def _picture(steps: Steps) -> Picture:
    return Picture({"cosine": (steps.steps, steps.cosine)}, y_label="cos(g_t, g_t+1)")
