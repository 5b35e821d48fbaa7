"""The gradient monitor: what every optimiser step's derivatives look like, at next to no cost.

Legend: K = parameter tensors of one optimiser, T = loss terms.
Readings stay on the device as tensors until `flush`, which moves them in one transfer and writes the record.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.optim.sparse import dense, touched, touched_rows
from zoo.probes.conflict import UNUSED, cosines
from zoo.probes.layers import LayerReadings, Silence, watch_layers
from zoo.training.record import Reading, Record


@dataclass(frozen=True)
class MonitorOptions:
    """How often the monitor looks.

    Attributes:
        sample_every: steps from one full reading (weights, updates, activations, deltas, loss terms) to the next;
            gradient norms, clipping and losses are read at every step. 0 reads none of the sampled quantities.
        flush_every: steps from one transfer of the readings into the record to the next.
        stop_on_nonfinite: end the run with the step and the layers as soon as a flush meets a NaN or infinite gradient.
        examples: at the steps of full readings read the norm of every example's gradient, too, and name examples that
            stand out; the noise of the gradient is then that between examples, not between micro-batches or ranks.
        early_steps: for so many steps full readings are denser, at 1, 2, 4, 8 and 16 and then every 20 steps at least:
            what goes wrong mostly does so early.
        diagnose: say what is wrong with the run (zoo.diagnosis) when it shows.
    """

    sample_every: int = 100
    flush_every: int = 50
    stop_on_nonfinite: bool = True
    examples: bool = False
    early_steps: int = 1000
    diagnose: bool = True

    def __post_init__(self):
        if self.flush_every < 1 or self.sample_every < 0 or self.early_steps < 0:
            raise InputError(
                "monitor: expected flush_every >= 1, sample_every >= 0 and early_steps >= 0 steps, "
                f"got {self.flush_every}, {self.sample_every} and {self.early_steps}; mend the recipe"
            )

    def samples(self, step: int) -> bool:
        """Whether `step` gets a full reading.

        >>> [step for step in range(130) if MonitorOptions().samples(step)]
        [0, 1, 2, 4, 8, 16, 20, 40, 60, 80, 100, 120]
        """
        if self.sample_every == 0:
            return False
        early = step < self.early_steps and (step in FIRST or step % EARLY == 0)
        return early or step % self.sample_every == 0


FIRST, EARLY = (1, 2, 4, 8, 16), 20


@dataclass
class StepReading:
    """What was read at one step, still on the device; `names` label the K entries of `norms_K`."""

    step: int
    names: tuple[str, ...]
    norms_K: Tensor
    total_norm: Tensor
    learning_rate: float
    clipped: tuple[Tensor, Tensor] | None = None  # total norm after clipping, clipped fraction
    terms: dict[str, Tensor] | None = None  # summed over the micro-batches
    micro_batches: int = 1


@dataclass
class HeldStep:
    """Gradients and weights of a sampled step, kept until the next step shows the update and the new gradient."""

    step: int
    names: tuple[str, ...]
    gradients: list[Tensor]
    parameters: list[Tensor]


class GradientMonitor:
    """Collects readings step by step and writes them to a record in batches.

    Args:
        options: how often to look.
        record: where readings go; by default they stay in this process.
    """

    def __init__(self, options: MonitorOptions, record: Record | None = None):
        self.options = options
        self.record = record or Record()
        self._steps: list[StepReading] = []
        self._layers: dict[int, LayerReadings] = {}
        self._scalars: list[tuple[int, str, str, Tensor]] = []
        self._held: dict[int, HeldStep] = {}
        self._terms: dict[str, Tensor] = {}
        self._term_gradients: dict[str, list[Tensor]] = {}
        self._micro_batches = 0
        self.watchers: list = []  # others who read the loss's forwards and backwards, and pause when the monitor does
        self._silence = Silence()
        self._facts: list[Reading] = []

    def samples(self, step: int) -> bool:
        """Whether `step` gets a full reading."""
        return self.options.samples(step)

    @contextmanager
    def watching(self, net: nn.Module, step: int) -> Iterator[LayerReadings | None]:
        """Read the layers of `net` in the forward inside the block (and its backward) when `step` is sampled."""
        if not self.samples(step):
            yield None
            return
        readings = self._layers.setdefault(step, LayerReadings(self._silence))
        with watch_layers(net, readings):
            yield readings

    def read_terms(self, terms: dict[str, Tensor]) -> None:
        """Add one micro-batch's loss terms to the mean of this step."""
        self._micro_batches += 1
        for name, term in terms.items():
            detached = term.detach()
            self._terms[name] = self._terms[name] + detached if name in self._terms else detached

    def read_term_gradients(self, terms: dict[str, Tensor], parameters: list[Tensor]) -> None:
        """Add dL_term/dtheta of one micro-batch, term by term: one more backward a term, at sampled steps only."""
        with self.pausing():  # these backwards are ours, not the training's: the deltas must not see them
            for name, term in terms.items():
                if term.requires_grad:
                    found = torch.autograd.grad(term, parameters, retain_graph=True, **UNUSED)
                    self.add_term_gradient(name, [g.to_dense() if g.is_sparse else g for g in found])

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Layers are not read inside: these forwards and backwards are not the loss's own."""
        with ExitStack() as stack:
            for layers in self._layers.values():
                layers.paused = True
            for watcher in self.watchers:
                stack.enter_context(watcher.pausing())
            try:
                yield
            finally:
                for layers in self._layers.values():
                    layers.paused = False

    def add_term_gradient(self, name: str, gradients: Sequence[Tensor]) -> None:
        """Add dL_term/dtheta of one micro-batch that is known already, as least squares knows it."""
        if name in self._term_gradients:
            torch._foreach_add_(self._term_gradients[name], list(gradients))
        else:
            self._term_gradients[name] = [gradient.clone() for gradient in gradients]

    def read_gradients(
        self,
        optimizer_index: int,
        step: int,
        names: tuple[str, ...],
        gradients: list[Tensor],
        parameters: list[Tensor],
        learning_rate: float,
        reduce_mean: Callable[[Tensor], Tensor],
    ) -> StepReading:
        """Read the gradients of one step before clipping; the norms are shared with the clipping rule."""
        reading = StepReading(step, names, *gradient_norms(gradients), learning_rate)
        if self._terms:
            reading.terms, reading.micro_batches = self._terms, self._micro_batches
        self._close_term_gradients(step, reduce_mean)
        self._close_held(optimizer_index, names, gradients, parameters, reading)
        if self.samples(step):
            self._held[optimizer_index] = HeldStep(
                step, names, [dense(g) for g in gradients], [p.detach().clone() for p in parameters]
            )
        self._terms, self._micro_batches = {}, 0
        self._steps.append(reading)
        return reading

    def _close_term_gradients(self, step: int, reduce_mean: Callable[[Tensor], Tensor]) -> None:
        if not self._term_gradients:
            return
        flat = {
            name: reduce_mean(torch.cat([g.flatten() for g in gradients])) / self._micro_batches
            for name, gradients in self._term_gradients.items()
        }
        norms, between = cosines(flat)
        self._scalars += [(step, "", f"gradient_norm/{name}", norm) for name, norm in norms.items()]
        self._scalars += [(step, "", f"term_cosine/{a}/{b}", cosine) for (a, b), cosine in between.items()]
        self._term_gradients = {}

    def _close_held(
        self, index: int, names: tuple[str, ...], gradients: list[Tensor], parameters: list[Tensor], now: StepReading
    ) -> None:
        held = self._held.pop(index, None)
        if held is None or held.names != names:
            return
        weights = torch._foreach_norm(held.parameters)
        torch._foreach_sub_(held.parameters, [p.detach() for p in parameters])  # held ones are ours: no new memory
        updates = torch._foreach_norm(held.parameters)
        back = [touched_rows(d, g).reshape(-1) for d, g in zip(held.parameters, gradients, strict=True)]
        for name, update, weight in zip(names, updates, weights, strict=True):
            self._scalars.append((held.step, name, "update_norm", update))
            self._scalars.append((held.step, name, "weight_norm", weight))
        pairs = zip(held.gradients, gradients, strict=True)
        products = torch.stack([torch.dot(touched_rows(a, b).reshape(-1), touched(b).reshape(-1)) for a, b in pairs])
        lengths = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(held.gradients))) * now.total_norm
        self._scalars.append((held.step, "", "gradient_cosine", products.sum() / lengths))
        # g(before) (theta(before) - theta(after)): what the step promised; g(after) along it: what is left.
        promised = sum(
            torch.dot(a.reshape(-1), d.reshape(-1)) for a, d in zip(held.gradients, held.parameters, strict=True)
        )
        left = sum(torch.dot(d, touched(g).reshape(-1)) for d, g in zip(back, gradients, strict=True))
        self._scalars += [(held.step, "", "promised_decrease", promised), (held.step, "", "slope_after", left)]

    def add(self, step: int, values: dict[str, Tensor]) -> None:
        """Keep named numbers of a step, a probe's for instance, until the next flush."""
        self._scalars += [(step, "", name, value.detach()) for name, value in values.items()]

    def add_facts(self, step: int, facts: Iterable[tuple[str, str, float | Tensor]]) -> None:
        """Keep (layer, quantity, number) of a step until the next flush; a tensor stays on its device until then."""
        for layer, quantity, value in facts:
            if isinstance(value, Tensor):
                self._scalars.append((step, layer, quantity, value.detach()))
            else:
                self._facts.append((step, layer, quantity, value))

    @property
    def pending(self) -> int:
        """Steps read since the last flush."""
        return len(self._steps)

    @property
    def newest_is_finite(self) -> bool:
        """Whether the gradient that was read last is finite; waits for the device."""
        return not self._steps or bool(self._steps[-1].total_norm.isfinite())

    @property
    def sees_nonfinite(self) -> bool:
        """Whether the gradient read last is known not to be finite, where that can be known without waiting."""
        return bool(self._steps) and self._steps[-1].total_norm.device.type == "cpu" and not self.newest_is_finite

    def flush(
        self,
        reduce_sum: Callable[[Tensor], Tensor],
        ranks: int = 1,
        loss_scale: float = 1.0,
        refuse_nonfinite: bool = True,
    ) -> float | None:
        """Move all readings off the device at once and write them; returns the mean loss of the flushed steps.

        Args:
            reduce_sum: sums a tensor over the ranks of a distributed run (identity otherwise).
            ranks: how many ranks there are: each rank's loss is a mean over its own share of the batch.
            loss_scale: the factor by which the backward pass was scaled (fp16 mixed precision).
            refuse_nonfinite: False where infinite gradients are a normal event (the same).

        Raises:
            InputError: a gradient was not finite and `stop_on_nonfinite` is set.
        """
        if not self._steps:
            return None
        readings = [*self._gradient_readings(), *self._loss_readings(reduce_sum, ranks)]
        readings += self._layer_readings(reduce_sum, ranks, loss_scale)
        values = _to_floats([value for *_, value in self._scalars])
        readings += [
            (step, layer, quantity, v) for (step, layer, quantity, _), v in zip(self._scalars, values, strict=True)
        ]
        facts = self._facts
        self.record.write([*readings, *facts])
        self._steps, self._layers, self._scalars, self._facts = [], {}, [], []
        losses = [value for _, _, quantity, value in readings if quantity == "loss"]
        if self.options.stop_on_nonfinite and refuse_nonfinite:
            _refuse_nonfinite([*readings, *facts])
        return sum(losses) / len(losses) if losses else None

    def _gradient_readings(self) -> list[Reading]:
        flat = _to_floats([tensor for r in self._steps for tensor in (r.norms_K, r.total_norm, *(r.clipped or ()))])
        readings, at = [], 0
        for r in self._steps:
            count = len(r.names)
            readings += [(r.step, n, "gradient_norm", v) for n, v in zip(r.names, flat[at : at + count], strict=True)]
            readings += [
                (r.step, "", "gradient_norm", flat[at + count]),
                (r.step, "", "learning_rate", r.learning_rate),
            ]
            if r.clipped:
                readings.append((r.step, "", "clipped_gradient_norm", flat[at + count + 1]))
                readings.append((r.step, "", "clipped_fraction", flat[at + count + 2]))
            at += count + (3 if r.clipped else 1)
        return readings

    def _loss_readings(self, reduce_sum: Callable[[Tensor], Tensor], ranks: int) -> list[Reading]:
        labelled = [(r.step, name, term) for r in self._steps for name, term in (r.terms or {}).items()]
        if not labelled:
            return []
        shares = [1 / (ranks * r.micro_batches) for r in self._steps for _ in (r.terms or {})]
        summed = _to_floats([reduce_sum(torch.stack([term for *_, term in labelled]))])
        values = [value * share for value, share in zip(summed, shares, strict=True)]
        sums: dict[int, list[float]] = {}
        for (step, _, _), value in zip(labelled, values, strict=True):
            sums.setdefault(step, []).append(value)
        readings = [(step, "", "loss", sum(parts)) for step, parts in sums.items()]
        if any(len(parts) > 1 for parts in sums.values()):
            readings += [(s, "", f"loss/{name}", v) for (s, name, _), v in zip(labelled, values, strict=True)]
        return readings

    def _layer_readings(self, reduce_sum: Callable[[Tensor], Tensor], ranks: int, loss_scale: float) -> list[Reading]:
        labelled = [(s, key, value) for s, layers in self._layers.items() for key, value in layers.values().items()]
        if not labelled:
            return []
        is_norm = torch.tensor([key[1].endswith("_norm") for _, key, _ in labelled])
        scale = torch.tensor([ranks * loss_scale if "gradient" in key[1] else 1.0 for _, key, _ in labelled])
        values = torch.stack([value for *_, value in labelled])
        is_norm, scale = is_norm.to(values.device), scale.to(values)
        # Norms add in squares over the ranks; each rank's loss is `ranks` times too large a share of the mean.
        summed = reduce_sum(torch.where(is_norm, (values / scale).square(), values))
        values = _to_floats([torch.where(is_norm, summed.sqrt(), summed / ranks)])
        return [(s, layer, quantity, v) for (s, (layer, quantity), _), v in zip(labelled, values, strict=True)]

    def state_dict(self) -> dict:
        """What a run that is killed between a sampled step and the next one must keep."""
        return {
            "held": {
                index: {"step": h.step, "names": list(h.names), "gradients": h.gradients, "parameters": h.parameters}
                for index, h in self._held.items()
            },
            "silence": dict(self._silence.examples),
        }

    def load_state_dict(self, state: dict) -> None:
        """Take up what `state_dict` returned."""
        self._held = {
            index: HeldStep(h["step"], tuple(h["names"]), h["gradients"], h["parameters"])
            for index, h in state["held"].items()
        }
        self._silence.examples = dict(state.get("silence", {}))


def gradient_norms(gradients: list[Tensor]) -> tuple[Tensor, Tensor]:
    """l2 norms of K tensors, dense or coalesced, [K], and the norm of all of them together, one number.

    >>> gradient_norms([torch.tensor([3.0]), torch.tensor([0.0, 4.0])])
    (tensor([3., 4.]), tensor(5.))
    """
    norms_K = torch.stack(torch._foreach_norm([touched(gradient) for gradient in gradients]))
    return norms_K, torch.linalg.vector_norm(norms_K)


def _to_floats(values: list[Tensor]) -> list[float]:
    # One transfer for all; float64 on the CPU side, since not every accelerator has it.
    return torch.cat([value.reshape(-1) for value in values]).cpu().double().tolist() if values else []


def _refuse_nonfinite(readings: list[Reading]) -> None:
    bad = [
        (step, layer)
        for step, layer, quantity, value in readings
        if quantity == "gradient_norm" and not value < float("inf")
    ]
    if bad:
        step = min(step for step, _ in bad)
        layers = [layer for at, layer in bad if at == step and layer]
        shown = ", ".join(layers[:3]) + (f" and {len(layers) - 3} more" if len(layers) > 3 else "")
        origin = next(
            (f" (from the {q[10:]} of {layer})" for _, layer, q, _ in readings if q.startswith("nonfinite/")), ""
        )
        raise InputError(
            f"gradient: expected finite numbers, got NaN or infinity at step {step} in {shown}{origin}; "
            "lower the learning rate, clip the gradient (model.clipping), or look for bad values in the data"
        )
