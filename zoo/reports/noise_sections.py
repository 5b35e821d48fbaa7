"""Sections on the noise of a run's gradient, and on examples that stand out."""

from typing import Protocol

import numpy as np

from zoo.reports.bar_chart import bar_chart
from zoo.reports.figure import Section
from zoo.reports.heat_map import heat_map
from zoo.reports.line_chart import line_chart


class OneSeries(Protocol):
    """Readings of one layer over the run."""

    steps: np.ndarray
    values: np.ndarray


class Readings(Protocol):
    """What a record offers (zoo.training.record.Record)."""

    def series(self, quantity: str) -> dict[str, OneSeries]:
        """Layer -> readings."""


SHOWN = 20  # examples


def gradient_noise_section(record: Readings) -> Section | None:
    """Noise scale against the batch, and the signal-to-noise ratio of every weight, at sampled steps."""
    signal, noise = record.series("gradient_signal"), record.series("gradient_noise")
    if "" not in signal:
        return None
    steps, batch = signal[""].steps, record.series("batch_examples")[""].values
    running = noise_scales(signal[""].values, noise[""].values, batch)
    last = running[-1]
    verdict = "No signal shows above the noise at the end: each step is a step of a random walk. "
    if np.isfinite(last):
        verdict = f"{last:,.0f} examples at the end, {last / batch[-1]:.2g} times the batch of {batch[-1]:,.0f}. "
    lead = (
        f"Noise scale (McCandlish et al. 2018): the batch whose gradient is half signal, half noise. {verdict}"
        "A batch far below it gains from being enlarged; one far above it is spent on little."
    )
    lines = {"noise scale": (steps, running), "batch": (steps, batch)}
    caption = "In examples; signal and noise are means over a quarter of the readings up to the step."
    figures = [line_chart(lines, y_label="examples", log_y=True, caption=caption)]
    rows = [name for name in signal if name and "weight" in name]
    if rows:
        ratios = np.stack([_ratios(signal[name], noise[name], steps) for name in rows])
        caption = "Signal-to-noise ratio of the batch's gradient, |G|² / E|g - G|², logarithmic; empty: no signal"
        figures.append(heat_map(ratios, rows, steps.tolist(), caption=caption))
    return Section("Gradient noise", lead, figures, {"noise scale in examples": float(last)})


def noise_scales(signal: np.ndarray, noise: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """Noise scale at every reading, in examples: batch x mean noise / mean signal over a window, or infinite.

    The mean of ratios would be biased, and the ratio of one reading strays by its own size (McCandlish, appendix A.1).

    >>> noise_scales(np.array([1.0, -0.5, 1.0]), np.array([2.0, 2.0, 2.0]), np.array([8.0, 8.0, 8.0])).tolist()
    [16.0, inf, 16.0]
    """
    width = max(1, len(signal) // 4)
    means = [_trailing_mean(values, width) for values in (signal, noise, batch)]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(means[0] > 0, means[2] * means[1] / means[0], np.inf)


def examples_section(record: Readings) -> Section | None:
    """Norms of the examples' gradients, and those examples that stood out, at sampled steps."""
    median = record.series("example_gradient_norm/median").get("")
    if median is None:
        return None
    largest = record.series("example_gradient_norm/largest")[""]
    lines = {"largest": (largest.steps, largest.values), "median": (median.steps, median.values)}
    positive = bool((median.values > 0).all())
    figures = [line_chart(lines, y_label="||dL/dθ|| of an example", log_y=positive)]
    totals = {name: float(one.values.sum()) for name, one in record.series("example_outlier_score").items()}
    if not totals:
        return Section("Examples", "No example's gradient stands out at the steps that were read.", figures)
    first = dict(sorted(totals.items(), key=lambda pair: -pair[1])[:SHOWN])
    caption = "Interquartile ranges above the batch's third quartile (3 = far out), summed over the steps that read it"
    figures.append(bar_chart(first, caption=caption))
    lead = (
        "Examples whose gradient is far larger than the others' in their batch, by their index in the training set. "
        "Look at them: wrong labels and broken inputs come first, then what is hard."
    )
    return Section("Examples", lead, figures, {"examples that stand out": totals})


def _ratios(signal: OneSeries, noise: OneSeries, steps: np.ndarray) -> np.ndarray:
    found = np.full(len(steps), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(signal.values > 0, signal.values / noise.values, np.nan)
    found[np.searchsorted(steps, signal.steps)] = ratio
    return found


def _trailing_mean(values: np.ndarray, width: int) -> np.ndarray:
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    return (sums[ends] - sums[starts]) / (ends - starts)
