"""Parameters that nothing trains, and parameters held fixed."""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend
from zoo.diagnosis.readings import Readings
from zoo.diagnosis.thresholds import UNUSED_STEPS


def frozen_findings(readings: Readings) -> Iterator[Finding]:
    """Layers whose weights do not require a gradient, or get one and never move."""
    fixed = {name for name, trained in readings.first("trained").items() if not trained}
    stopped = {name: step for name, step in _never_moving(readings)}
    for layer, names in owners([*fixed, *stopped], readings).items():
        step = min(stopped.get(name, 0) for name in names)
        why = "do not require a gradient" if names[0] in fixed else "get a gradient and do not move"
        yield _finding(
            "frozen", layer, step, f"the parameters of {layer} {why}", names, "unfreeze the layer, if it is to learn"
        )


def unused_findings(readings: Readings) -> Iterator[Finding]:
    """Layers that are to be trained and that no gradient reaches, or only zeros."""
    if readings.last_step + 1 < UNUSED_STEPS:
        return
    gradients = readings.series("gradient_norm")
    onsets = {}
    for name, trained in readings.first("trained").items():
        if trained and (onset := _without_gradient(gradients.get(name), readings.last_step)) is not None:
            onsets[name] = onset
    for layer, names in owners(list(onsets), readings).items():
        step = min(onsets[name] for name in names)
        yield _finding(
            "unused", layer, step, f"no gradient reaches the parameters of {layer}", names,
            "use the layer in the forward, without detach() or no_grad() behind it, or take it out; see that the "
            "optimiser has its parameters",
        )  # fmt: skip


def owners(names: list[str], readings: Readings) -> dict[str, list[str]]:
    """Module -> its parameters among `names`, for modules all of whose parameters are there."""
    every: dict[str, list[str]] = {}
    for name in readings.first("trained"):
        every.setdefault(name.rpartition(".")[0] or name, []).append(name)
    return {module: own for module, own in every.items() if set(own) <= set(names)}


def _without_gradient(series, last: int) -> int | None:
    """Step since which there has been no gradient or exactly zero, for `UNUSED_STEPS` at least."""
    if series is None or not len(series.steps):
        return 0
    alive = series.steps[series.values != 0]
    onset = int(alive[-1]) + 1 if len(alive) else 0
    return onset if last + 1 - onset >= UNUSED_STEPS else None


def _never_moving(readings: Readings) -> Iterator[tuple[str, int]]:
    gradients, rates = readings.series("gradient_norm"), readings.whole("learning_rate")
    if rates is None or not (rates.values > 0).any():
        return
    for name, updates in readings.series("update_norm").items():
        kept = np.interp(updates.steps, rates.steps, rates.values) > 0
        still = kept.sum() >= 3 and not updates.values[kept].any()
        if still and name in gradients and gradients[name].values.any():
            yield name, int(updates.steps[0])


def _finding(kind: str, layer: str, step: int, text: str, names: list[str], mend: str) -> Finding:
    return Finding(kind, layer, step, text, {"tensors": float(len(names))}, 0.95, Mend(mend), layers=(layer, *names))
