"""What is read of an optimiser step, from its first forward to the door its gradients pass."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from zoo.optim.clipping import Clipping
from zoo.training.door import GradientDoor
from zoo.training.monitor import GradientMonitor
from zoo.training.noise_watch import NoiseWatch
from zoo.training.random_state import torch_state
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
        self._micro_batches: list[tuple[Any, list[Tensor]]] = []  # of a sampled step, with torch's random states

    def loss(self, step: int, batch: Any, terms_of: Terms) -> Tensor:
        """Sum of the terms; at sampled steps layers and term gradients are read."""
        if not self._door.first_pass(step):
            return sum(terms_of().values())
        terms = self._sampled(step, batch, terms_of) if self._monitor.samples(step) else terms_of()
        self._monitor.read_terms(terms)
        return sum(terms.values())

    def _sampled(self, step: int, batch: Any, terms_of: Terms) -> dict[str, Tensor]:
        if self._probes:
            self._micro_batches.append((batch, torch_state()))
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
        ranks: int = 1,
        loss_scale: Callable[[], float] = lambda: 1.0,
    ) -> None:
        """Run the probes of a sampled step and pass the door; see `GradientDoor.pass_gradients`.

        Args:
            optimizer: about to step.
            index: tells several optimisers of one task apart.
            step: number of optimiser steps taken so far.
            reduce_mean: mean of a tensor over the ranks.
            loss: (net, batch) -> terms, for probes.
            ranks: how many there are.
            loss_scale: the factor by which the backward was scaled (fp16 mixed precision).
        """
        if self._monitor.samples(step) and self._door.first_pass(step):
            grads = {name: p.grad for name, p in self._net.named_parameters() if p.grad is not None}
            self._monitor.add_facts(step, self.noise.readings(grads, loss, reduce_mean, ranks, loss_scale()))
            if self._micro_batches:
                self._run_probes(step, loss)
        self._door.pass_gradients(optimizer, index, step, reduce_mean)

    def _run_probes(self, step: int, loss: LossTerms) -> None:
        batches, states = zip(*self._micro_batches, strict=True)
        self._micro_batches = []
        params = {name: p.detach() for name, p in self._net.named_parameters()}
        grads = {name: p.grad.to_dense() for name, p in self._net.named_parameters() if p.grad is not None}
        reading = Step(step, grads, params, loss_at(self._net, loss, batches, states), self._net)
        for probe in self._probes:
            self._monitor.add(step, probe(reading))
