"""NaN and infinity: where the first one came from, as the replay of its step found it."""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend
from zoo.diagnosis.readings import Readings

ORIGINS = {
    "input": "the batch itself is not finite",
    "parameter": "the parameter is not finite before the step: the update before made it so",
    "output": "its output is not finite, from finite inputs and weights",
    "loss": "the loss term is not finite, from finite outputs of the net",
    "gradient": "its backward pass gives what is not finite, from a finite gradient",
}


def nonfinite_findings(readings: Readings) -> Iterator[Finding]:
    """The origin by replay; without one the first step with a gradient that is not finite."""
    for origin, why in ORIGINS.items():
        for layer, one in readings.series(f"nonfinite/{origin}").items():
            yield _replayed(readings, origin, why, layer, int(one.steps[0]), float(one.values[0]))
            return
    total = readings.whole("gradient_norm")
    bad = np.flatnonzero(~np.isfinite(total.values)) if total is not None else []
    if len(bad):
        step = int(total.steps[bad[0]])
        layers = [n for n, s in readings.series("gradient_norm").items() if n and _is_bad(s, step)]
        text = f"the gradients of {', '.join(layers[:3])}{' and others' if len(layers) > 3 else ''} are not finite"
        yield Finding("nonfinite", layers[0] if layers else "", step, text, {}, 0.99, MEND, layers=tuple(layers))


def _replayed(readings: Readings, origin: str, why: str, layer: str, step: int, example: float) -> Finding:
    batch = readings.whole("nonfinite_batch")
    evidence = {"batch": float(batch.values[0])} if batch is not None else {}
    where = ""
    if example >= 0:
        evidence["example"] = example
        where = f"; example {example:.0f} of batch {evidence.get('batch', step):.0f} is the first"
    return Finding(
        "nonfinite", layer, step, f"{layer}: {why}{where}", evidence, 0.99, MENDS.get(origin, MEND), (layer,)
    )


def _is_bad(series, step: int) -> bool:
    at = np.flatnonzero(series.steps == step)
    return len(at) > 0 and not np.isfinite(series.values[at[0]])


MEND = Mend("lower the learning rate or clip the gradient", factors={"model.optimizer.init_args.lr": 0.1})
MENDS = {
    "input": Mend("mend this example of the data, or leave it out"),
    "output": Mend(
        "keep the layer's inputs in its domain (log, sqrt and division near 0, exp of large numbers), or lower the "
        "learning rate that brought them there",
        factors={"model.optimizer.init_args.lr": 0.1},
    ),
    "gradient": Mend("keep away from infinite slopes: sqrt(x + eps), a norm with eps, clamp before log"),
    "loss": Mend("use a loss that takes logits, clamp before log, and look at the example's target"),
}
