"""A training run of a few hundred small steps, watched as a run under the Trainer is."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zoo.optim import ByGlobalNorm
from zoo.training.monitor import GradientMonitor, MonitorOptions
from zoo.training.record import Record
from zoo.training.watch import Watch

Terms = dict[str, Tensor]
ADAM = partial(torch.optim.Adam, lr=1e-3)


@dataclass
class Run:
    """What is trained, how, and what was planted.

    Attributes:
        architecture, seed: its name and what its numbers are drawn from.
        net: plain module.
        examples: tensors of N rows each.
        loss: (net, batch) -> terms.
        optimizer: parameters -> optimiser.
        kind, layers, onset: what is planted, any of which layers names it rightly ((): the whole run), and when; kind
            None is a healthy run.
        validation: judged at the end of every epoch, in training mode.
        each_step: called as (step, run, optimizer, batch) before a step; may return another batch.
    """

    architecture: str
    seed: int
    net: nn.Module
    examples: tuple[Tensor, ...]
    loss: Callable[[nn.Module, Any], Terms]
    optimizer: Callable = ADAM
    batch: int = 32
    steps: int = 150
    clipping: ByGlobalNorm | None = None
    scheduler: Callable | None = None
    kind: str | None = None
    layers: tuple[str, ...] = ()
    onset: int = 0
    validation: tuple[Tensor, ...] | None = None
    each_step: Callable | None = None
    note: str = ""
    extras: list = field(default_factory=list)  # observers (net, step, loss value, lr, batch), the peers'

    @property
    def per_epoch(self) -> int:
        """Batches of an epoch."""
        return max(1, len(self.examples[0]) // self.batch)


def record_of(run: Run, scale: float = 1.0, bf16: bool = False, accumulate: int = 1) -> Record:
    """Train and return the readings; the loss times `scale`, in bf16, or in `accumulate` micro-batches a step."""
    monitor = GradientMonitor(MonitorOptions(stop_on_nonfinite=False))
    loss = partial(_scaled, run.loss, scale)
    watch = Watch(run.net, monitor, run.clipping, [])
    optimizer = run.optimizer([p for p in run.net.parameters() if p.requires_grad])
    scheduler = run.scheduler(optimizer) if run.scheduler else None
    context = partial(torch.autocast, "cpu", torch.bfloat16) if bf16 else nullcontext
    monitor.add_facts(0, [("", "batches_per_epoch", float(run.per_epoch))])
    generator = torch.Generator().manual_seed(run.seed)
    order = torch.randperm(len(run.examples[0]), generator=generator)
    for step in range(run.steps):
        place = step % run.per_epoch
        if step and place == 0:
            order = torch.randperm(len(order), generator=generator)
        rows = order[place * run.batch : (place + 1) * run.batch]
        batch = tuple(tensor[rows] for tensor in run.examples)
        if run.each_step is not None:
            batch = run.each_step(step, run, optimizer, batch) or batch
        optimizer.zero_grad()
        total = 0.0
        for part in zip(*(tensor.chunk(accumulate) for tensor in batch), strict=True):
            with context():
                value = watch.loss(step, part, partial(loss, run.net, part))
            (value / accumulate).backward()
            total += float(value.detach()) / accumulate
        for observe in run.extras:
            observe(run.net, step, total, optimizer.param_groups[0]["lr"], batch)
        watch.pass_gradients(optimizer, 0, step, lambda tensor: tensor, loss, context=context)
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        if run.validation is not None and (step + 1) % run.per_epoch == 0:
            with torch.no_grad():
                figure = float(sum(loss(run.net, run.validation).values()))
            monitor.add_facts(step, [("", "val/loss", figure)])
        if monitor.pending >= 50:
            monitor.flush(lambda tensor: tensor)
        if not torch.isfinite(torch.tensor(total)):
            break
    monitor.flush(lambda tensor: tensor)
    return monitor.record


def _scaled(loss: Callable, scale: float, net: nn.Module, batch: Any) -> Terms:
    return {name: scale * term for name, term in loss(net, batch).items()}
