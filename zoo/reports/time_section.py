"""Section on gradients through time, of runs with the probe zoo.probes.time_flow.through_time."""

from typing import Protocol

import numpy as np

from zoo.reports.figure import Section
from zoo.reports.heat_map import heat_map

PREFIX = "hidden_gradient_norm/"


class OneSeries(Protocol):
    """Readings over the run."""

    steps: np.ndarray
    values: np.ndarray


class Readings(Protocol):
    """What a record offers (zoo.training.record.Record)."""

    def quantities(self) -> list[str]:
        """Names of the quantities read."""

    def series(self, quantity: str) -> dict[str, OneSeries]:
        """Layer -> readings."""


def through_time_section(record: Readings) -> Section | None:
    """||dL/dh_t|| over places of the sequence x steps, one picture a recurrent layer and direction."""
    named = [quantity.removeprefix(PREFIX).rsplit("/", 1) for quantity in record.quantities() if PREFIX in quantity]
    if not named:
        return None
    figures = []
    for layer in dict.fromkeys(layer for layer, _ in named):
        places = [place for one, place in named if one == layer]
        series = [record.series(f"{PREFIX}{layer}/{place}")[""] for place in places]
        steps = np.unique(np.concatenate([one.steps for one in series]))
        values = np.full((len(places), len(steps)), np.nan)
        for row, one in zip(values, series, strict=True):
            row[np.searchsorted(steps, one.steps)] = one.values
        labels = [place.lstrip("0") if not place.startswith("000") else place[2:] for place in places]
        figures.append(heat_map(values, labels, steps.tolist(), caption=f"||dL/dh_t|| of {layer}, logarithmic colour"))
    lead = (
        "What the loss still says about the hidden state at each place of the sequence, its start at the top. Fading "
        "towards the start is a gradient that vanishes through time, brightening one that explodes."
    )
    return Section("Gradients through time", lead, figures)
