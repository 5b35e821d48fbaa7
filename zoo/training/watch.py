"""What is read of an optimiser step, from its first forward to the door its gradients pass."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from zoo.errors import InputError
from zoo.optim.clipping import Clipping
from zoo.training.door import GradientDoor
from zoo.training.evaluation import batch_size
from zoo.training.monitor import GradientMonitor
from zoo.training.noise_watch import NoiseWatch
from zoo.training.random_state import torch_state
from zoo.training.replay import origin_facts, origin_of
from zoo.training.step import LossTerms, Probe, Step, loss_at

Terms = Callable[[], dict[str, Tensor]]


class Watch:
    """Reads the first evaluation of a step; optimisers that evaluate several times are read once.

    Args:
        net: what is trained.
        monitor: takes the readings.
        clipping: rule that changes the gradients in place, or None.
        probes: functions Step -> numbers, called at the monitor's sampled steps.
    """

    def __init__(self, net: nn.Module, monitor: GradientMonitor, clipping: Clipping | None, probes: list[Probe]):
        self._net, self._monitor, self._probes = net, monitor, probes
        self._door = GradientDoor(net, monitor, clipping)
        self.noise = NoiseWatch(net, monitor.options.examples)
        monitor.watchers.append(self.noise)
        self._micro_batches: list[tuple[Any, list[Tensor]]] = []  # of this step, with torch's random states
        self._replayed = False

    def loss(self, step: int, batch: Any, terms_of: Terms) -> Tensor:
        """Sum of the terms; at sampled steps layers and term gradients are read."""
        if not self._door.first_pass(step):
            return sum(terms_of().values())
        self._micro_batches.append((batch, torch_state()))
        terms = self._sampled(step, batch, terms_of) if self._monitor.samples(step) else terms_of()
        self._monitor.read_terms(terms)
        return sum(terms.values())

    def _sampled(self, step: int, batch: Any, terms_of: Terms) -> dict[str, Tensor]:
        with self._monitor.watching(self._net, step), self.noise.watching(batch):
            terms = terms_of()
        if len(terms) > 1:
            trained = [parameter for parameter in self._net.parameters() if parameter.requires_grad]
            self._monitor.read_term_gradients(terms, trained)
        return terms

    def pass_gradients(
        self,
        optimizer: Optimizer,
        index: int,
        step: int,
        reduce_mean: Callable[[Tensor], Tensor],
        loss: LossTerms,
        *,
        ranks: int = 1,
        loss_scale: Callable[[], float] = lambda: 1.0,
        context: Callable[[], AbstractContextManager] = nullcontext,
        scaled: bool = False,
    ) -> None:
        """Run the probes of a sampled step and pass the door; see `GradientDoor.pass_gradients`.

        The first gradient that is not finite is traced to its origin: the weights are still those it was computed at.

        Args:
            optimizer: about to step.
            index: tells several optimisers of one task apart.
            step: number of optimiser steps taken so far.
            reduce_mean: mean of a tensor over the ranks.
            loss: (net, batch) -> terms, for probes and the replay.
            ranks: how many there are.
            loss_scale: the factor by which the backward was scaled (fp16 mixed precision).
            context: makes the precision of the forward.
            scaled: infinite gradients are a normal event (fp16 mixed precision).
        """
        first = self._door.first_pass(step)
        if first and self._monitor.samples(step):
            grads = {name: p.grad for name, p in self._net.named_parameters() if p.grad is not None}
            self._monitor.add_facts(step, self.noise.readings(grads, loss, reduce_mean, ranks, loss_scale()))
            if self._micro_batches:
                self._read_rows(step, ranks)
            if self._micro_batches and self._probes:
                self._run_probes(step, loss)
        self._door.pass_gradients(optimizer, index, step, reduce_mean)
        if first and not scaled and not self._replayed and self._monitor.sees_nonfinite:
            self._replay(step, loss, context)
        if first:
            self._micro_batches = []

    def _read_rows(self, step: int, ranks: int) -> None:
        rows = ranks * sum(rows_of(batch) for batch, _ in self._micro_batches)  # of the whole step, over all ranks
        self._monitor.add_facts(step, [("", "batch_rows", float(rows))])

    def _replay(self, step: int, loss: LossTerms, context: Callable[[], AbstractContextManager]) -> None:
        self._replayed = True
        if not self._micro_batches:
            return
        batches, states = zip(*self._micro_batches, strict=True)
        with self._monitor.pausing():
            origin = origin_of(self._net, loss, batches, states, context)
        if origin is not None:
            self._monitor.add_facts(step, origin_facts(origin, step * len(batches)))

    def _run_probes(self, step: int, loss: LossTerms) -> None:
        batches, states = zip(*self._micro_batches, strict=True)
        params = {name: p.detach() for name, p in self._net.named_parameters()}
        grads = {name: p.grad.to_dense() for name, p in self._net.named_parameters() if p.grad is not None}
        reading = Step(step, grads, params, loss_at(self._net, loss, batches, states), self._net)
        for probe in self._probes:
            self._monitor.add(step, probe(reading))


def rows_of(batch: Any) -> int:
    """Examples of a batch, 0 where that cannot be told.

    >>> import torch
    >>> rows_of((torch.zeros(5, 2), torch.zeros(5))), rows_of("none")
    (5, 0)
    """
    try:
        return batch_size(batch)
    except InputError:
        return 0
