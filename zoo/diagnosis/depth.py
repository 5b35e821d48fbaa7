"""Vanishing and exploding: how the error signal changes from the last layer back to the first.

Legend: D = layers with weights in the order of the forward, S = steps; deltas_DS = ||dL/dz||.
"""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend, Picture, confidence
from zoo.diagnosis.readings import Readings, first_stretch
from zoo.diagnosis.thresholds import DEPTH_LAYERS, DEPTH_RATIO, PERSISTENT, SPAN


def depth_findings(readings: Readings) -> Iterator[Finding]:
    """Deltas of the first layers a thousand times smaller, or larger, than those of the last."""
    layers, steps, deltas_DS = deltas_in_order(readings)
    if len(layers) < DEPTH_LAYERS or len(steps) < PERSISTENT:
        return
    hidden_S = first_to_last(
        deltas_DS[:-1]
    )  # what a head passes on is its scale, often zero at first: no matter of depth
    whole_S = first_to_last(deltas_DS)
    for kind, ratio_S, holds_S, extreme in (
        ("vanishing", hidden_S, (hidden_S < DEPTH_RATIO) & (hidden_S > 0), np.nanargmin),
        ("exploding", whole_S, whole_S > 1 / DEPTH_RATIO, np.nanargmax),
    ):
        onset = first_stretch(holds_S, steps, PERSISTENT, SPAN)
        if onset is None:
            continue
        while_S = holds_S & (steps >= onset)
        profile_D = np.nanmedian(deltas_DS[:, while_S], 1)
        at = int(extreme(np.where(profile_D > 0, profile_D, np.nan)[: max(1, len(layers) // 2)]))
        yield _finding(kind, layers, at, onset, profile_D, float(np.median(ratio_S[while_S])))


def deltas_in_order(readings: Readings) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Layers with weights in the forward's order, steps, and ||dL/dz|| [D, S]."""
    grid = readings.grid("preactivation_gradient_norm")
    place = {layer: i for i, layer in enumerate(readings.depth)}
    order = sorted(range(len(grid.layers)), key=lambda i: place.get(grid.layers[i], i))
    return [grid.layers[i] for i in order], grid.steps, grid.values[order]


def first_to_last(deltas_DS: np.ndarray) -> np.ndarray:
    """||delta|| of the first layer over the largest of the last third [S]: heads side by side count as one end."""
    last = max(1, len(deltas_DS) // 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        return deltas_DS[0] / np.nanmax(np.where(np.isfinite(deltas_DS[-last:]), deltas_DS[-last:], 0), 0)


def _finding(kind: str, layers: list[str], at: int, onset: int, profile_D: np.ndarray, ratio: float) -> Finding:
    relative_D = profile_D / profile_D[-1]
    words = "smaller" if kind == "vanishing" else "larger"
    times = 1 / ratio if kind == "vanishing" else ratio
    per_layer = ratio ** (1 / (len(layers) - 2))
    return Finding(
        kind=kind,
        layer=layers[at],
        step=onset,
        text=f"||dL/dz|| is {times:.2g} times {words} at {layers[0]} than at the last layers, "
        f"a factor of {per_layer:.2g} a layer",
        evidence={"first to last": ratio, "factor a layer": per_layer, "layers": float(len(layers))},
        confidence=confidence(times, 1 / DEPTH_RATIO),
        mend=MENDS[kind],
        layers=tuple(layers[: at + 1]),
        picture=Picture(
            {"||dL/dz|| / last": (np.arange(len(layers)), relative_D)}, "layer", "relative delta", log=True
        ),
    )


MENDS = {
    "vanishing": Mend(
        "keep the signal's size through depth: ReLU with He's initialiser or tanh with Glorot's, norms or skip "
        "connections; until then an optimiser that rescales every layer by itself",
        settings={"model.optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 1e-3}}},
    ),
    "exploding": Mend(
        "scale the weights down to their fans (He, Glorot), add norms; until then clip the gradient unit by unit",
        settings={"model.clipping": {"class_path": "zoo.optim.Adaptive", "init_args": {"clip_factor": 0.01}}},
    ),
}
