"""Sections of the report that show how an agent learned, from the record alone; any agent's record will do.

Quantities read, each drawn where it is there: environment_steps, return, return_low, return_high, length, val/return,
entropy, kl, explained_variance, policy_gradient/signal and /noise.
"""

import numpy as np
import torch

from zoo.probes.batch_gradients import GradientNoise
from zoo.reports import Section, line_chart
from zoo.training.record import Record, Series

WINDOW = 5  # measurements of the gradient that are pooled; with fewer nothing is said of the batch


def training_sections(record: Record, minibatches: int = 1) -> list[Section]:
    """Returns, the policy, and the quality of its gradient.

    Args:
        record: of the run.
        minibatches: equal parts of a rollout, one optimiser step each.
    """
    made = (returns_section(record), policy_section(record), gradient_quality_section(record, minibatches))
    return [section for section in made if section is not None]


def returns_section(record: Record) -> Section | None:
    """Returns of training episodes with their band, greedy evaluations, lengths."""
    training, judged = _whole(record, "return"), _whole(record, "val/return")
    lines, bands = {}, {}
    if training is not None:
        lines["training episodes"] = (steps_at(record, training), training.values)
        low, high = _whole(record, "return_low"), _whole(record, "return_high")
        if low is not None and high is not None:
            bands["training episodes"] = (low.values, high.values)
    if judged is not None:
        lines["greedy evaluation"] = (steps_at(record, judged), judged.values)
    if not lines:
        return None
    note = "Shaded: where 80 % of the episodes that ended in a rollout lie." if bands else ""
    figures = [line_chart(lines, "environment steps", "return", caption=note, bands=bands)]
    if (length := _whole(record, "length")) is not None:
        figures.append(line_chart({"length": (steps_at(record, length), length.values)}, "environment steps", "length"))
    lead = "Undiscounted returns of whole episodes: training draws its actions, an evaluation takes the likeliest."
    if judged is not None:
        best = int(np.argmax(judged.values))
        at = int(steps_at(record, judged)[best])
        lead += f" Best evaluation: {judged.values[best]:.5g} after {at:,} steps of the environment."
    return Section("Returns", lead, figures)


def policy_section(record: Record) -> Section | None:
    """Entropy, divergence from one rollout to the next, and how much of the returns the critic explains."""
    labels = {
        "entropy": ("entropy (nats)", "Falls as the policy decides; near zero too early, it no longer explores."),
        "kl": ("KL(old, new)", "How far one rollout's updates moved the policy, at its own observations."),
        "explained_variance": ("explained variance", "1: the critic knows the returns; 0: no better than a constant."),
    }
    figures = []
    for quantity, (label, caption) in labels.items():
        if (series := _whole(record, quantity)) is not None:
            values = np.clip(series.values, -1, None) if quantity == "explained_variance" else series.values
            line = {label: (steps_at(record, series), values)}
            figures.append(line_chart(line, "environment steps", label, caption=caption))
    lead = "What the updates did to the policy and to its critic. Explained variance below -1 is drawn at -1."
    return Section("Policy and critic", lead, figures) if figures else None


def gradient_quality_section(record: Record, minibatches: int = 1) -> Section | None:
    """Signal-to-noise ratio of the policy's gradient and its cosine to the true one, and what follows for the batch."""
    signal, noise = _whole(record, "policy_gradient/signal"), _whole(record, "policy_gradient/noise")
    if signal is None or noise is None:
        return None
    pooled = GradientNoise(torch.tensor(running_mean(signal.values)), torch.tensor(running_mean(noise.values)))
    x = steps_at(record, signal)
    last = slice(len(signal.values) * 2 // 3, None)
    late = GradientNoise(torch.tensor(signal.values[last].mean()), torch.tensor(noise.values[last].mean()))
    ratio = line_chart(
        {"signal-to-noise ratio": (x, pooled.ratio.numpy())}, "environment steps", "|G|² / noise", log_y=True,
        caption="1: as much noise as signal. Where nothing is drawn, no signal showed.",
    )  # fmt: skip
    lines = {"whole rollout": (x, pooled.cosine().numpy())}
    if minibatches > 1:
        lines["one minibatch"] = (x, GradientNoise(pooled.signal, pooled.noise * minibatches).cosine().numpy())
    cosine = line_chart(lines, "environment steps", "cosine", caption="Expected cosine to the true policy gradient.")
    verdict = batch_verdict(late, len(signal.values[last]))
    lead = (
        f"{verdict} Measured from the spread of the gradients of whole environments within a rollout "
        f"(McCandlish et al. 2018), {len(x)} times, {WINDOW} measurements pooled. It is the noise of the estimate: a "
        "bias, such as that of a wrong critic, does not show, and environments in step with each other make it look "
        "too good (zoo explain RUN --rollouts 64 checks that by brute force)."
    )
    data = {"late_ratio": float(late.ratio), "late_cosine": float(late.cosine())}
    return Section("Quality of the policy gradient", lead, [ratio, cosine], data)


def batch_verdict(late: GradientNoise, readings: int) -> str:
    """What the end of the run says about the size of its batch, from so many measurements.

    >>> batch_verdict(GradientNoise(torch.tensor(1.0), torch.tensor(4.0)), 8).partition(":")[0]
    'Enlarge the batch'
    """
    if readings < WINDOW:
        return (
            f"Too few readings to tell whether the batch is large enough: {readings} in the last third of the run, "
            f"{WINDOW} would do; lower model.gradient_quality_every or train longer."
        )
    ratio, cosine = float(late.ratio), float(late.cosine())
    seen = f"the rollout's gradient has a signal-to-noise ratio of {ratio:.2g} in the last third of the run"
    if ratio == 0:
        return f"No signal: {seen}. Either the policy has converged, or the batch must be much larger."
    if ratio < 0.5:
        return f"Enlarge the batch: {seen} (cosine {cosine:.2f}); {1 / ratio:.2g} times as much would bring it to 1."
    if ratio <= 4:
        return f"The batch is large enough: {seen} (cosine {cosine:.2f})."
    return (
        f"The batch is larger than it must be: {seen} (cosine {cosine:.2f}); smaller rollouts would update more often."
    )


def steps_at(record: Record, series: Series) -> np.ndarray:
    """Environment steps at the optimiser steps of a series; those themselves where they were not recorded."""
    known = _whole(record, "environment_steps")
    return series.steps if known is None else np.interp(series.steps, known.steps, known.values)


def running_mean(values: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """Means over the last `window` values, or over those that there are.

    >>> running_mean(np.array([1.0, 3.0, 5.0]), 2).tolist()
    [1.0, 2.0, 4.0]
    """
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return (sums[ends] - sums[starts]) / (ends - starts)


def _whole(record: Record, quantity: str) -> Series | None:
    return record.series(quantity).get("")
