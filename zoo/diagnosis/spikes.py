"""Spikes of the loss: a jump far beyond all that the loss did before, with the gradient jumping along."""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend, Picture, confidence
from zoo.diagnosis.loss_curve import loss_curve
from zoo.diagnosis.readings import Readings
from zoo.diagnosis.thresholds import SPIKE_GRADIENT, SPIKE_PROGRESS, SPIKE_RANGE, SPIKE_WINDOW


def spike_findings(readings: Readings) -> Iterator[Finding]:
    """The first jump by several times the range of the losses before it, which is a good part of all progress."""
    curve, gradient = loss_curve(readings), readings.whole("gradient_norm")
    if curve is None or gradient is None or len(curve.values) <= SPIKE_WINDOW:
        return
    before = np.lib.stride_tricks.sliding_window_view(curve.values, SPIKE_WINDOW)[
        :-1
    ]  # [i] ends before step i + WINDOW
    middle, range_S = np.median(before, 1), before.max(1) - np.median(before, 1)
    jump_S = curve.values[SPIKE_WINDOW:] - middle
    far_S = (jump_S > SPIKE_RANGE * range_S) & (jump_S > SPIKE_PROGRESS * curve.scale)
    for at in np.flatnonzero(far_S):
        step = int(curve.steps[at + SPIKE_WINDOW])
        rise = gradient_rise(gradient, step)
        if rise < SPIKE_GRADIENT:
            continue
        times = float(jump_S[at] / max(range_S[at], 1e-300))
        yield Finding(
            kind="loss_spike",
            layer="",
            step=step,
            text=f"the loss jumps by {times:.2g} times the range of the {SPIKE_WINDOW} losses before, the gradient's "
            f"norm to {rise:.2g} times its median",
            evidence={"jump to range": times, "gradient to median": rise},
            confidence=confidence(times, SPIKE_RANGE),
            mend=Mend(
                "clip what is out of the ordinary, and look at this step's batch",
                settings={"model.clipping": {"class_path": "zoo.optim.ZClip"}},
            ),
            picture=Picture({"loss": (curve.steps, curve.values)}, y_label="loss", log=bool(curve.values.min() > 0)),
        )
        return


def gradient_rise(gradient, step: int) -> float:
    """Largest gradient norm of the step and the two after it over the median of those before."""
    before = gradient.values[(gradient.steps < step) & (gradient.steps >= step - SPIKE_WINDOW)]
    around = gradient.values[(gradient.steps >= step) & (gradient.steps <= step + 2)]
    usual = float(np.median(before)) if len(before) else 0.0
    return float(np.nanmax(around)) / usual if len(around) and usual > 0 else 0.0
