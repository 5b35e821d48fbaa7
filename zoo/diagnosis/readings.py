"""A record as arrays: what the detectors read.

Legend: S = steps at which something was read, L = layers.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np


class OneSeries(Protocol):
    """Readings of one layer over the run."""

    steps: np.ndarray
    values: np.ndarray


class RecordLike(Protocol):
    """What a record offers (zoo.training.record.Record)."""

    def quantities(self) -> list[str]:
        """Names of the quantities read."""

    def series(self, quantity: str) -> dict[str, OneSeries]:
        """Layer -> readings."""


@dataclass(frozen=True)
class Grid:
    """A quantity of several layers at the steps at which any was read; NaN where one was not. `values` [L, S]."""

    layers: list[str]
    steps: np.ndarray
    values: np.ndarray

    def __bool__(self) -> bool:
        return bool(self.layers) and len(self.steps) > 0


class Readings:
    """A record, each quantity read once.

    >>> from zoo.training.record import Record
    >>> record = Record(); record.write([(0, "", "loss", 2.0), (0, "a", "activation_norm", 1.0)])
    >>> found = Readings(record)
    >>> found.whole("loss").values.tolist(), found.grid("activation_norm").layers
    ([2.0], ['a'])
    """

    def __init__(self, record: RecordLike):
        self._record = record
        self._series: dict[str, dict[str, OneSeries]] = {}

    def series(self, quantity: str) -> dict[str, OneSeries]:
        """Layer -> readings that are not empty."""
        if quantity not in self._series:
            self._series[quantity] = self._record.series(quantity)
        return self._series[quantity]

    @cached_property
    def quantities(self) -> list[str]:
        """Names of the quantities read."""
        return self._record.quantities()

    def whole(self, quantity: str) -> OneSeries | None:
        """Readings of the whole run, None if there are none."""
        return self.series(quantity).get("")

    def grid(self, quantity: str) -> Grid:
        """All layers of a quantity, in the order in which they were first read."""
        series = {layer: one for layer, one in self.series(quantity).items() if layer and len(one.steps)}
        steps = np.unique(np.concatenate([one.steps for one in series.values()])) if series else np.zeros(0, np.int64)
        values = np.full((len(series), len(steps)), np.nan)
        for i, one in enumerate(series.values()):
            values[i, np.searchsorted(steps, one.steps)] = one.values
        return Grid(list(series), steps, values)

    def first(self, quantity: str) -> dict[str, float]:
        """Layer -> the first reading of a quantity."""
        return {layer: float(one.values[0]) for layer, one in self.series(quantity).items() if len(one.values)}

    @cached_property
    def depth(self) -> list[str]:
        """Layers in the order in which a forward reaches them."""
        return [layer for layer in self.series("activation_norm") if layer]

    @cached_property
    def last_step(self) -> int:
        """The newest step whose gradient was read; -1 without any."""
        one = self.whole("gradient_norm")
        return int(one.steps[-1]) if one is not None and len(one.steps) else -1


def since(holds_S: np.ndarray, steps_S: np.ndarray, least: int = 1) -> int | None:
    """First step of the stretch, still going on at the end, over which something holds; None if shorter than `least`.

    >>> since(np.array([True, False, True, True]), np.array([0, 1, 2, 4]), 2)
    2
    """
    run = int(np.argmin(holds_S[::-1])) if not holds_S.all() else len(holds_S)
    return int(steps_S[len(holds_S) - run]) if len(holds_S) and run >= least else None


def first_stretch(holds_S: np.ndarray, steps_S: np.ndarray, least: int, span: int = 0) -> int | None:
    """First step of the first stretch of at least `least` readings and `span` steps over which something holds.

    >>> first_stretch(np.array([True, False, True, True, False]), np.arange(5), 2)
    2
    """
    count = 0
    for i, holds in enumerate(holds_S):
        count = count + 1 if holds else 0
        first = i - count + 1
        if count >= least and steps_S[i] - steps_S[first] >= span:
            return int(steps_S[first])
    return None
