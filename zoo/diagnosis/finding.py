"""What a diagnosis says: a finding, its evidence, and the change of the configuration that mends it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

KINDS = {
    "nonfinite": "NaN or infinity",
    "unused": "parameters that nothing trains",
    "frozen": "parameters held fixed",
    "norm_statistics": "normalisation over too few examples",
    "initial_scale": "bad initial scale",
    "dead": "dead units",
    "saturated": "saturated activations",
    "vanishing": "vanishing gradient",
    "exploding": "exploding gradient",
    "epsilon": "the optimiser's epsilon dominates",
    "weight_decay": "weight decay overwhelms the gradient",
    "clipping_always": "clipping sets the step size",
    "clipping_never": "clipping never acts",
    "learning_rate_high": "learning rate too high",
    "learning_rate_low": "learning rate too low",
    "loss_spike": "spike of the loss",
    "batch_small": "batch too small",
    "batch_large": "batch wastefully large",
    "memorising": "memorising labels that say nothing",
    "conflict": "loss terms in conflict",
}


@dataclass(frozen=True)
class Mend:
    """A change of the configuration.

    Attributes:
        text: what to do, in words.
        factors: dotted key -> factor on the number that stands there.
        settings: dotted key -> new value.
    """

    text: str
    factors: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """The evidence as lines: name -> (x [S], y [S])."""

    lines: Mapping[str, tuple[np.ndarray, np.ndarray]]
    x_label: str = "step"
    y_label: str = ""
    log: bool = False


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a run.

    Attributes:
        kind: a key of `KINDS`.
        layer: module or parameter, as in `net.named_modules()`; "" for the whole run.
        step: optimiser step at which it began.
        text: what was measured, in one sentence.
        evidence: the numbers behind it, all free of the loss's scale.
        confidence: 0.5 (as likely as not) to 1: how far the evidence lies beyond its threshold.
        mend: what to change.
        layers: every layer concerned, `layer` among them.
        picture: the evidence over steps or depth.
    """

    kind: str
    layer: str
    step: int
    text: str
    evidence: Mapping[str, float]
    confidence: float
    mend: Mend
    layers: tuple[str, ...] = ()
    picture: Picture | None = None

    @property
    def title(self) -> str:
        """Kind, layer and step in words."""
        return f"{KINDS[self.kind]}{f' at {self.layer}' if self.layer else ''} since step {self.step}"


def confidence(value: float, threshold: float) -> float:
    """How far beyond its threshold a ratio is: 0.5 at the threshold, 0.9 at ten times, 0.99 at a hundred times.

    >>> [round(confidence(value, 1.0), 3) for value in (1.0, 10.0, 100.0)]
    [0.5, 0.909, 0.99]
    """
    beyond = abs(np.log(max(value, 1e-300) / threshold)) if threshold > 0 else 0.0
    return float(1 / (1 + np.exp(-beyond)))
