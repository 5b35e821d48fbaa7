"""Sections that every run has, whatever its domain: curves, gradient flow, updates, activations, clipping."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from zoo.reports.figure import Section
from zoo.reports.heat_map import heat_map
from zoo.reports.line_chart import line_chart
from zoo.reports.noise_sections import examples_section, gradient_noise_section
from zoo.reports.time_section import through_time_section


class OneSeries(Protocol):
    """Readings of one layer over the run."""

    steps: np.ndarray
    values: np.ndarray


class Readings(Protocol):
    """What a record offers (zoo.training.record.Record)."""

    def quantities(self) -> list[str]:
        """Names of the quantities read."""

    def series(self, quantity: str) -> dict[str, OneSeries]:
        """Layer -> readings."""


def run_sections(record: Readings) -> list[Section]:
    """All sections that the record has readings for, in reading order."""
    makers: list[Callable[[Readings], Section | None]] = [
        learning_curves, gradient_flow, total_gradient, update_ratio, activations, deltas, through_time_section,
        cosine, loss_terms,
        gradient_noise_section, examples_section, learning_rate, least_squares,
    ]  # fmt: skip
    return [section for section in (make(record) for make in makers) if section is not None]


def learning_curves(record: Readings) -> Section | None:
    """Loss and its terms at every step; validation figures at the ends of epochs."""
    figures = []
    loss = _whole(record, "loss")
    if loss is None:
        return None
    lines = {"training loss": (loss.steps, _smoothed(loss.values))}
    if (validation := _whole(record, "val/loss")) is not None:
        lines["validation loss"] = (validation.steps, validation.values)
    first = set(lines)
    note = "Training loss is a running mean over 1 % of the run, of batches as they are trained on."
    figures.append(line_chart(lines, y_label="loss", log_y=loss.values.min() > 0, caption=note))
    terms = {q[5:]: _whole(record, q) for q in record.quantities() if q.startswith("loss/")}
    if terms:
        figures.append(line_chart({k: (s.steps, _smoothed(s.values)) for k, s in terms.items()}, y_label="loss terms"))
    for name in (q for q in record.quantities() if q.startswith("val/") and q != "val/loss"):
        one = _whole(record, name)  # on an axis of its own: an accuracy, a length and an error have no common unit
        decades = one.values.min() > 0 and one.values.max() > 100 * one.values.min()  # falls by orders of magnitude
        figures.append(line_chart({name: (one.steps, one.values)}, y_label=name, log_y=bool(decades)))
    judged = "validation loss" in first
    lead = "Falling together is learning; training falling while validation rises is memorising." if judged else ""
    return Section("Learning curves", lead, figures)


def gradient_flow(record: Readings) -> Section | None:
    """||dL/dW|| of every parameter tensor over the steps."""
    grid = _grid(record, "gradient_norm", lambda name: "weight" in name)
    if grid is None:
        return None
    rows, steps, values = grid
    lead = (
        "The norm of the loss gradient of every weight, before clipping; the input is at the top. A column that fades "
        "towards the top is a vanishing gradient, one that brightens is an exploding one."
    )
    figures = [heat_map(values, rows, steps, caption="||dL/dW||, logarithmic colour")]
    terms = {q[14:]: _whole(record, q) for q in record.quantities() if q.startswith("gradient_norm/")}
    if terms:
        lines = {name: (s.steps, s.values) for name, s in terms.items()}
        figures.append(line_chart(lines, y_label="gradient norm", log_y=True, caption="Gradient norm a loss term"))
    return Section("Gradient flow", lead, figures)


def total_gradient(record: Readings) -> Section | None:
    """Total norm before and after clipping, and how often clipping acts."""
    total, after = _whole(record, "gradient_norm"), _whole(record, "clipped_gradient_norm")
    if total is None:
        return None
    lines = {"before clipping" if after is not None else "total": (total.steps, total.values)}
    verdict = "No clipping rule is set."
    figures = []
    if after is not None:
        lines["after clipping"] = (after.steps, after.values)
        fraction = _whole(record, "clipped_fraction")
        active = float((fraction.values > 0).mean())
        verdict = f"Clipping acts on {100 * active:.1f} % of the steps" + (
            ": it never acts, and could be left out." if active == 0
            else ": it acts nearly always, so that the limit sets the step size." if active > 0.9 else "."
        )  # fmt: skip
    figures.append(line_chart(lines, y_label="||dL/dθ||", log_y=bool((total.values > 0).all())))
    return Section("Total gradient and clipping", verdict, figures)


def update_ratio(record: Readings) -> Section | None:
    """||update|| / ||W|| of every weight, at sampled steps."""
    update = _grid(record, "update_norm", lambda name: "weight" in name)
    weight = _grid(record, "weight_norm", lambda name: "weight" in name)
    if update is None or weight is None:
        return None
    rows, steps, values = update
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = values / weight[2]
    lead = (
        "How far one step moves a weight, relative to its size. Around 1e-3 is a common healthy value; 1e-1 is a "
        "learning rate that overwrites, 1e-6 one that hardly moves."
    )
    return Section(
        "Update-to-weight ratio", lead, [heat_map(ratio, rows, steps, caption="||ΔW|| / ||W||, logarithmic")]
    )


def activations(record: Readings) -> Section | None:
    """Norms of activations, zeros and saturation."""
    figures = []
    captions = {
        "activation_norm": "||a||, norm of every layer's output over the batch",
        "zero_fraction": "Share of activations that are exactly zero (1 = a dead layer)",
        "saturated_fraction": "Share of activations near a bound, where the derivative vanishes",
    }
    for quantity, caption in captions.items():
        if (grid := _grid(record, quantity)) is not None:
            rows, steps, values = grid
            figures.append(heat_map(values, rows, steps, log=quantity == "activation_norm", caption=caption))
    lead = "What the layers give at sampled steps. Rows that stay at one end of the scale say more than their average."
    return Section("Activations", lead, figures) if figures else None


def deltas(record: Readings) -> Section | None:
    """||dL/dz|| and ||dL/da|| of every layer, at sampled steps."""
    figures = []
    for quantity, caption in (
        ("preactivation_gradient_norm", "||dL/dz||: the deltas, behind layers with weights"),
        ("activation_gradient_norm", "||dL/da||, behind activation functions"),
    ):
        if (grid := _grid(record, quantity)) is not None:
            rows, steps, values = grid  # written in the order of the backward pass: the input is to be at the top
            figures.append(heat_map(values[::-1], rows[::-1], steps, caption=caption))
    lead = "The error signal on its way back, as in the backpropagation equations: dL/dW = delta times input."
    return Section("Deltas", lead, figures) if figures else None


def cosine(record: Readings) -> Section | None:
    """Cosine between the gradients of successive steps."""
    series = _whole(record, "gradient_cosine")
    if series is None:
        return None
    lead = "Near 1: steps agree, a larger learning rate may pay. Near 0: noise rules. Below 0: steps undo each other."
    figure = line_chart({"cosine": (series.steps, series.values)}, y_label="cos(g_t, g_t+1)")
    return Section("Successive gradients", lead, [figure])


def loss_terms(record: Readings) -> Section | None:
    """Share of every loss term in the gradient, and the cosines between their gradients, at sampled steps."""
    norms = {q[14:]: _whole(record, q) for q in record.quantities() if q.startswith("gradient_norm/")}
    if len(norms) < 2:
        return None
    shares = line_chart(gradient_shares(norms), y_label="share of the gradient", caption="||g_term|| / sum of all.")
    pairs = {
        q[12:].replace("/", " and "): _whole(record, q) for q in record.quantities() if q.startswith("term_cosine/")
    }
    lowest = {name: float(np.nanmin(s.values)) for name, s in pairs.items() if np.isfinite(s.values).any()}
    if not lowest:
        return Section("Terms of the loss", "What each term adds to the gradient.", [shares])
    name = min(lowest, key=lowest.get)
    step = int(pairs[name].steps[np.nanargmin(pairs[name].values)])
    verdict = f"Smallest cosine between two terms' gradients: {lowest[name]:.2f}, {name} at step {step}. "
    verdict += "Below 0 they undo each other; a term without a share is not trained, one with all of it trains alone."
    chart = line_chart({k: (s.steps, s.values) for k, s in pairs.items()}, y_label="cos(g_a, g_b)")
    return Section("Terms of the loss", verdict, [shares, chart], {"smallest cosine": lowest})


def gradient_shares(norms: dict[str, OneSeries]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Term -> (steps, ||g_term|| / sum of the norms), at the steps that all terms were read at."""
    steps = sorted(set.intersection(*(set(s.steps.tolist()) for s in norms.values())))
    values = {name: s.values[np.isin(s.steps, steps)] for name, s in norms.items()}
    total = np.maximum(sum(values.values()), 1e-300)
    return {name: (np.array(steps), v / total) for name, v in values.items()}


def learning_rate(record: Readings) -> Section | None:
    """The learning rate that was used."""
    series = _whole(record, "learning_rate")
    if series is None:
        return None
    figure = line_chart({"learning rate": (series.steps, series.values)}, y_label="learning rate")
    return Section("Learning rate", "As the optimiser used it, step by step.", [figure])


def least_squares(record: Readings) -> Section | None:
    """Damping and gain ratio of Levenberg-Marquardt."""
    damping, gain = _whole(record, "damping"), _whole(record, "gain_ratio")
    if damping is None or gain is None:
        return None
    lead = (
        "Damping small: the linear model is trusted, steps are Gauss-Newton's. Gain ratio near 1: the loss fell as "
        "that model said; near 0: steps are about as long as they can be."
    )
    figures = [
        line_chart({"damping": (damping.steps, damping.values)}, y_label="damping", log_y=True),
        line_chart({"gain ratio": (gain.steps, np.clip(gain.values, -1, 2))}, y_label="actual / predicted"),
    ]
    return Section("Least squares", lead, figures)


def _whole(record: Readings, quantity: str) -> OneSeries | None:
    return record.series(quantity).get("")


def _grid(
    record: Readings, quantity: str, keep: Callable[[str], bool] = lambda name: True
) -> tuple[list[str], list[int], np.ndarray] | None:
    # Layers need not be read at the same steps (several optimisers): missing readings are NaN.
    series = {layer: s for layer, s in record.series(quantity).items() if layer and keep(layer)}
    if not series:
        return None
    steps = np.unique(np.concatenate([s.steps for s in series.values()]))
    values = np.full((len(series), len(steps)), np.nan)
    for i, s in enumerate(series.values()):
        values[i, np.searchsorted(steps, s.steps)] = s.values
    return list(series), steps.tolist(), values


def _smoothed(values: np.ndarray) -> np.ndarray:
    width = max(1, len(values) // 100)
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    return (sums[ends] - sums[starts]) / (ends - starts)
