"""Units that give nothing, and activations at their bounds."""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend, Picture, confidence
from zoo.diagnosis.readings import Readings, first_stretch
from zoo.diagnosis.thresholds import DEAD_SHARE, OPEN_SHARE, PERSISTENT, SILENT, SPAN


def dead_findings(readings: Readings) -> Iterator[Finding]:
    """Layers of which at least most of the units have been zero for every example for long."""
    grid = readings.grid("silent_fraction")
    for layer, shares_S in zip(grid.layers, grid.values, strict=True):
        read_S = np.isfinite(shares_S)
        steps_S, values_S = grid.steps[read_S], shares_S[read_S]
        onset = first_stretch(values_S >= DEAD_SHARE, steps_S, PERSISTENT, SPAN)
        if onset is None:
            continue
        share = float(np.median(values_S[steps_S >= onset]))
        onset = began(onset, steps_S, readings)
        yield Finding(
            kind="dead",
            layer=layer,
            step=onset,
            text=f"{100 * share:.0f} % of the units of {layer} are zero for every example: no gradient passes them",
            evidence={"share of units": share},
            confidence=confidence(share / (1 - min(share, 0.999)), DEAD_SHARE / (1 - DEAD_SHARE)),
            mend=Mend(
                "lower the learning rate, start biases at zero, or take an activation with a slope below zero "
                "(LeakyReLU, GELU)",
                factors={"model.optimizer.init_args.lr": 0.1},
            ),
            layers=(layer, *feeding(readings, layer)),
            picture=Picture({layer: (steps_S, values_S)}, y_label="share of silent units"),
        )


def began(onset: int, steps_S: np.ndarray, readings: Readings) -> int:
    """When the silence began that was long enough to count at `onset`: the reading so many examples before."""
    rows = readings.whole("batch_rows")
    back = int(np.ceil(SILENT / max(1.0, float(rows.values[0])))) - 1 if rows is not None else 0
    return int(steps_S[max(0, int(np.searchsorted(steps_S, onset)) - back)])


def saturated_findings(readings: Readings) -> Iterator[Finding]:
    """Hidden sigmoids and tanhs so near their bounds that little of their derivative is left."""
    grid = readings.grid("derivative_fraction")
    hidden = hidden_layers(readings)
    for layer, left_S in zip(grid.layers, grid.values, strict=True):
        read_S = np.isfinite(left_S)
        steps_S, values_S = grid.steps[read_S], left_S[read_S]
        onset = first_stretch(values_S < OPEN_SHARE, steps_S, PERSISTENT, SPAN) if layer in hidden else None
        if onset is None:
            continue
        left = float(values_S[steps_S >= onset].min())
        yield Finding(
            kind="saturated",
            layer=layer,
            step=onset,
            text=f"the mean derivative of {layer} is {left:.2g} of its largest: most outputs are at a bound",
            evidence={"share of the derivative": left},
            confidence=confidence(left, OPEN_SHARE),
            mend=Mend(
                "smaller weights in front (Glorot's scale), inputs of unit variance, or a norm before the activation; "
                "a lower learning rate where it came with training",
                factors={"model.optimizer.init_args.lr": 0.3},
            ),
            layers=(layer, *feeding(readings, layer)),
            picture=Picture({layer: (steps_S, values_S)}, y_label="mean derivative / largest"),
        )


def feeding(readings: Readings, layer: str) -> tuple[str, ...]:
    """The last layer with weights before this one."""
    weighted = set(readings.series("preactivation_gradient_norm"))
    before = readings.depth[: readings.depth.index(layer)] if layer in readings.depth else []
    return tuple([one for one in before if one in weighted][-1:])


def hidden_layers(readings: Readings) -> set[str]:
    """Layers that a layer with weights follows: an output at its bounds may be just right."""
    weighted = [i for i, one in enumerate(readings.depth) if one in readings.series("preactivation_gradient_norm")]
    return set(readings.depth[: weighted[-1]]) if weighted else set()
