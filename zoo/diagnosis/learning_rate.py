"""Learning rate too high or too low."""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend, Picture, confidence
from zoo.diagnosis.loss_curve import LossCurve, loss_curve, noise_of
from zoo.diagnosis.readings import Readings, first_stretch
from zoo.diagnosis.step_size import Steps, steps_of
from zoo.diagnosis.thresholds import DIVERGED, HARDLY_MOVES, JUMP, OVERSHOOT, OVERWRITES, TRIED


def high_findings(readings: Readings) -> Iterator[Finding]:
    """Steps that go past their goal or overwrite the weights, while the loss rises or does not fall."""
    curve, steps = loss_curve(readings), steps_of(readings)
    if curve is None or steps is None or len(curve.steps) < 3:
        return
    too_long_S = (steps.overshoot > OVERSHOOT) | (steps.typical > OVERWRITES)
    onset, stays = _rise(curve)
    raised = _raised(readings, onset)
    onset = onset if stays or raised is not None else None
    if onset is None and not curve.fell and len(curve.steps) >= TRIED and too_long_S[-5:].mean() > 0.5:
        onset = int(steps.steps[np.argmax(too_long_S)])
    near = (steps.steps >= (onset or 0) - NEAR) & (steps.steps <= (onset or 0) + 2)
    if onset is None or not (raised is not None or too_long_S[near].sum() >= max(1, near.sum() / 2)):
        return
    onset = raised if raised is not None else int(steps.steps[near][np.argmax(too_long_S[near])])
    after = steps.steps >= min(onset, steps.steps[-1])
    moved, past = _median(steps.typical[after]), _median(steps.overshoot[after])
    yield Finding(
        kind="learning_rate_high",
        layer="",
        step=onset,
        text=f"steps move weights by {moved:.2g} of their size and go {past + 1:.2g} times as far as is best along "
        f"their way, and the loss does not fall",
        evidence={"update to weight": moved, "step to best step": past + 1, "loss to start": curve.end / curve.scale},
        confidence=confidence(max(moved / OVERWRITES, (past + 1) / (OVERSHOOT + 1), 1.0), 1.0),
        mend=Mend("lower the learning rate by ten", factors={"model.optimizer.init_args.lr": 0.1}),
        picture=Picture({"||update|| / ||W||": (steps.steps, steps.typical)}, y_label="update to weight", log=True),
    )


NEAR = 20  # steps between a rise of the loss and the reading of the steps that made it


def _rise(curve: LossCurve) -> tuple[int | None, bool]:
    """Where the loss rose to three times its start, beyond noise; whether it stayed for `NEAR` steps or to the end."""
    level = curve.start + (DIVERGED - 1) * curve.scale
    calm = curve.values[curve.values < level]
    if len(calm) > NEAR:
        level = max(level, curve.start + (DIVERGED - 1) * 5 * noise_of(calm))
    high_S = curve.values > level
    first = first_stretch(high_S, curve.steps, 2)
    if first is None:
        return None, False
    after = curve.values[curve.steps >= first]
    return first, bool(np.median(after[:NEAR]) > level or np.median(after[-NEAR:]) > level)


def _raised(readings: Readings, onset: int | None) -> int | None:
    """The step, shortly before the loss rose, from which the learning rate was several times higher."""
    rates = readings.whole("learning_rate")
    if onset is None or rates is None or len(rates.values) < 2:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        jumps = np.flatnonzero(rates.values[1:] / rates.values[:-1] > JUMP) + 1
    near = [int(rates.steps[i]) for i in jumps if onset - NEAR <= rates.steps[i] <= onset]
    return near[-1] if near else None


def low_findings(readings: Readings) -> Iterator[Finding]:
    """All weights together have hardly moved after many steps, and the loss neither."""
    curve, steps = loss_curve(readings), steps_of(readings)
    if curve is None or steps is None or readings.last_step < TRIED or curve.fell or _rising(readings):
        return
    way = way_of(steps, readings.last_step)
    promised = float(np.nanmean(steps.promised)) * readings.last_step / max(curve.scale, 1e-300)
    if not 0 < way < HARDLY_MOVES or promised > 10 * HARDLY_MOVES:
        return
    yield Finding(
        kind="learning_rate_low",
        layer="",
        step=0,
        text=f"after {readings.last_step} steps no weight matrix has moved by more than {way:.1g} of its size",
        evidence={"way to weight": way, "promised decrease": promised},
        confidence=confidence(way, HARDLY_MOVES),
        mend=Mend("raise the learning rate", factors={"model.optimizer.init_args.lr": _factor(way)}),
        picture=Picture({"||update|| / ||W||": (steps.steps, steps.largest)}, y_label="update to weight", log=True),
    )


def way_of(steps: Steps, last: int) -> float:
    """Upper bound on the way of any weight matrix, relative to its size: the mean step times their number."""
    known = np.isfinite(steps.largest)
    return float(np.mean(steps.largest[known])) * last if known.any() else float("inf")


def _factor(way: float) -> float:
    # So that as many steps again move the weights by half: usual for a net that learns.
    return float(10 ** np.clip(np.round(np.log10(0.5 / way)), 1, 4))


def _rising(readings: Readings) -> bool:
    rates = readings.whole("learning_rate")
    return rates is None or bool(rates.values[-1] >= 1.5 * np.median(rates.values))


def _median(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 0.0
