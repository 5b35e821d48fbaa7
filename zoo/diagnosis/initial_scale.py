"""Weights that start far from the scale that keeps signals alive. Glorot and Bengio (2010); He et al. (2015).

gain = std(W) sqrt(fan_in) = ||W|| / sqrt(units): 1.41 after He, about 1 after Glorot and LeCun, 0.58 in torch's own.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from zoo.diagnosis.depth import deltas_in_order
from zoo.diagnosis.finding import Finding, Mend, Picture, confidence
from zoo.diagnosis.readings import Readings
from zoo.diagnosis.thresholds import COORDINATES, PASSED_ON, TOO_LARGE, TOO_SMALL


def scale_findings(readings: Readings) -> Iterator[Finding]:
    """Weight matrices whose first scale is several times beyond that of every initialiser in use.

    A scale that a norm behind the layer takes out again is left alone, and so are weights that stay as they are drawn
    and a large scale of coordinates, which is their bandwidth. So is a small one at the output, in a skipped branch,
    or wherever else the signal does not depend on it: on its way back it must get lost there.
    """
    gains, trained = first_gains(readings), readings.first("trained")
    layers = list(gains)
    for layer, (gain, low, high) in gains.items():
        if layer in normed_layers(readings) or trained.get(f"{layer}.weight") == 0:
            continue
        large = gain > TOO_LARGE * high and readings.first("fan_in").get(f"{layer}.weight", 0) > COORDINATES
        if not large and not (gain < low / TOO_SMALL and _loses_signal(readings, layer)):
            continue
        times = gain / high if large else low / max(gain, 1e-12)
        yield Finding(
            kind="initial_scale",
            layer=layer,
            step=0,
            text=f"the weights of {layer} start {times:.3g} times {'larger' if large else 'smaller'} than any usual "
            "initialiser's of their fans",
            evidence={"gain": gain, "usual from": low, "usual to": high},
            confidence=confidence(times, TOO_LARGE if large else TOO_SMALL),
            mend=Mend(
                "start from zoo.nn's initialisers (He's for ReLU, Glorot's for tanh), or zoo.nn.lsuv_ from data",
                factors={"model.optimizer.init_args.lr": 0.3 if large else 1.0},
            ),
            layers=(layer,),
            picture=Picture(
                {
                    "gain": (np.arange(len(layers)), np.array([g for g, *_ in gains.values()])),
                    "usual, at most": (np.arange(len(layers)), np.array([h for *_, h in gains.values()])),
                },
                "layer",
                "gain",
                log=True,
            ),
        )


def first_gains(readings: Readings) -> dict[str, tuple[float, float, float]]:
    """Module -> gain of its weight at the start, and the least and the largest of the usual initialisers."""
    inputs, outputs, units = (readings.first(name) for name in ("fan_in", "fan_out", "units"))
    first = {name: one for name, one in readings.series("weight_norm").items() if len(one.steps) and one.steps[0] == 0}
    gains = {}
    for name, one in first.items():
        if name in inputs and name.endswith("weight"):
            glorot = float(np.sqrt(2 * inputs[name] / (inputs[name] + outputs[name])))
            gain = float(one.values[0] / np.sqrt(units[name]))
            gains[name.rpartition(".")[0] or name] = (gain, min(3**-0.5, glorot), max(2**0.5, 5 / 3 * glorot))
    return gains


def normed_layers(readings: Readings) -> set[str]:
    """Layers with weights directly behind which a norm stands."""
    norms = set(readings.first("is_norm"))
    return {layer for layer, following in pairwise(readings.depth) if following in norms}


def _loses_signal(readings: Readings, layer: str) -> bool:
    """Whether the error signal in front of the layer is far smaller than behind it; forward, at the first layer."""
    layers, steps, deltas_DS = deltas_in_order(readings)
    if layer not in layers or not len(steps) or layer == layers[-1] or _ends_branch(readings, layer, layers):
        return False
    at = layers.index(layer)
    if at > 0:
        return bool(deltas_DS[at - 1, 0] < PASSED_ON * deltas_DS[at, 0])
    into, out = (readings.first(f"{side}_mean_square").get(layer) for side in ("input", "output"))
    return into is not None and out is not None and out < PASSED_ON**2 * into


def _ends_branch(readings: Readings, layer: str, layers: list[str]) -> bool:
    """Whether the layer is an output beside others, such as the policy's in front of the value's net: the last of its
    module, and followed by a layer that does not take as many inputs as it has units."""
    parent, following = layer.rpartition(".")[0], layers[layers.index(layer) + 1]
    if not parent or following.startswith(f"{parent}."):
        return False
    units, inputs = readings.first("units"), readings.first("fan_in")
    return inputs.get(f"{following}.weight") != units.get(f"{layer}.weight")
