"""Settings of the optimiser that outweigh the gradient: epsilon and weight decay."""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend, Picture, confidence
from zoo.diagnosis.loss_curve import loss_curve
from zoo.diagnosis.readings import Readings, first_stretch, since
from zoo.diagnosis.thresholds import DECAY_RATIO, DECAYED_TO, EPSILON_RATIO, PERSISTENT


def epsilon_findings(readings: Readings) -> Iterator[Finding]:
    """Epsilon is many times the root mean square gradient of most parameters, before the loss has gone down."""
    grid = readings.grid("epsilon_ratio")
    if not grid or len(grid.steps) < PERSISTENT:
        return
    typical_S = np.nanmedian(grid.values, 0)
    onset = since(typical_S >= EPSILON_RATIO, grid.steps, PERSISTENT)
    curve = loss_curve(readings)
    if onset is None or curve is None or (onset > 0.5 * readings.last_step and curve.end < 0.5 * curve.start):
        return
    times = float(np.median(typical_S[grid.steps >= onset]))
    onset = since(typical_S >= 1, grid.steps) or 0  # it dominates from where it is larger than the gradient
    yield Finding(
        kind="epsilon",
        layer="",
        step=0 if onset <= 2 else onset,  # the first step leaves nothing to compare with
        text=f"epsilon is {times:.2g} times the root mean square gradient: steps shrink with the gradient, as in SGD",
        evidence={"epsilon to gradient": times},
        confidence=confidence(times, EPSILON_RATIO),
        mend=Mend("lower epsilon", settings={"model.optimizer.init_args.eps": 1e-8}),
        layers=tuple(grid.layers),
        picture=Picture({"epsilon / rms(g)": (grid.steps, typical_S)}, y_label="ratio", log=True),
    )


def decay_findings(readings: Readings) -> Iterator[Finding]:
    """Decay pulls several times harder than the gradient, until the weights have lost half of their size."""
    steps, ratio_S, left_S = decay_to_gradient(readings)
    onset = first_stretch(ratio_S >= DECAY_RATIO, steps, PERSISTENT)
    if onset is None:
        return
    after = steps >= onset
    left = float(np.nanmin(left_S[after]) / left_S[after][0])
    if left > DECAYED_TO:
        return
    ratio = float(np.max(ratio_S[after]))
    yield Finding(
        kind="weight_decay",
        layer="",
        step=onset,
        text=f"weight decay is {ratio:.2g} times the gradient, and has brought the weights to "
        f"{100 * left:.0f} % of their size",
        evidence={"decay to gradient": ratio, "weights left": left},
        confidence=confidence(ratio, DECAY_RATIO),
        mend=Mend("lower the weight decay by a hundred", factors={"model.optimizer.init_args.weight_decay": 0.01}),
        picture=Picture({"decay / gradient": (steps, ratio_S)}, y_label="ratio", log=True),
    )


def decay_to_gradient(readings: Readings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps, norm of the decay over that of the gradient (or of its part in the update),  and what is left of ||W||.

    Coupled decay adds wd W to the gradient; decoupled decay is a part lr wd W of the update u, whose rest is taken as
    orthogonal: |gradient's part|^2 = |u|^2 - |lr wd W|^2.
    """
    for kind, other in (("coupled_decay", "gradient_norm"), ("decoupled_decay", "update_norm")):
        rates, weights, against = readings.grid(kind), readings.grid("weight_norm"), readings.grid(other)
        matrices = readings.first("fan_in")
        names = [n for n in rates.layers if n in matrices and n in weights.layers and n in against.layers]
        steps = np.intersect1d(rates.steps, np.intersect1d(weights.steps, against.steps))
        if not names or not len(steps):
            continue
        weight_LS, rate_LS, against_LS = (_at(grid, names, steps) for grid in (weights, rates, against))
        pull_S = np.sqrt(np.nansum((rate_LS * weight_LS) ** 2, 0))
        rest_S = np.sqrt(np.nansum(against_LS**2, 0))
        if kind == "decoupled_decay":
            pull_S = pull_S * _rates_at(readings, steps)
            rest_S = np.sqrt(np.maximum(rest_S**2 - pull_S**2, 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            left_S = np.nanmedian(weight_LS / weight_LS[:, :1], 0)
        return steps, np.minimum(pull_S / np.maximum(rest_S, 1e-300), 1e6), left_S
    return np.zeros(0, np.int64), np.zeros(0), np.zeros(0)


def _at(grid, names: list[str], steps: np.ndarray) -> np.ndarray:
    rows = [grid.layers.index(name) for name in names]
    return grid.values[rows][:, np.isin(grid.steps, steps)]


def _rates_at(readings: Readings, steps: np.ndarray) -> np.ndarray:
    rates = readings.whole("learning_rate")
    return np.interp(steps, rates.steps, rates.values)
