"""Normalisation over too few examples. Ioffe (2017), "Batch renormalization"; Wu and He (2018)."""

from collections.abc import Iterator

import numpy as np

from zoo.diagnosis.finding import Finding, Mend, Picture, confidence
from zoo.diagnosis.readings import Readings, since
from zoo.diagnosis.thresholds import NORM_ERROR


def norm_findings(readings: Readings) -> Iterator[Finding]:
    """Batch norms in training mode whose variance is as uncertain as it is large.

    Of n normal values the variance has a relative standard error of sqrt(2 / (n - 1)).
    """
    grid = readings.grid("norm_examples")
    if not grid:
        return
    with np.errstate(divide="ignore"):
        error_LS = np.sqrt(2 / np.maximum(grid.values - 1, 0))
    onsets = [since(error_S >= NORM_ERROR, grid.steps, 2) for error_S in error_LS]
    hit = [i for i, onset in enumerate(onsets) if onset is not None]
    if not hit:
        return
    examples = float(np.nanmedian(grid.values[hit[0]]))
    layers = tuple(grid.layers[i] for i in hit)
    yield Finding(
        kind="norm_statistics",
        layer=layers[0],
        step=min(onsets[i] for i in hit),
        text=f"{len(layers)} batch norms, {layers[0]} the first, take their statistics from {examples:.0f} "
        f"{'example' if examples == 1 else 'examples'}",
        evidence={"examples": examples},
        confidence=confidence(4 / examples, 1.0),
        mend=Mend(
            "batches of 16 or more, or GroupNorm or LayerNorm, which do without the batch",
            factors={"data.init_args.batch_size": float(np.ceil(16 / examples))},
        ),
        layers=layers,
        picture=Picture({layers[0]: (grid.steps, grid.values[hit[0]])}, y_label="examples"),
    )
