"""What a task is about to be trained on: batches with their loss terms, taken where a training step would begin.

Lightning runs the task's own training step up to the point where its loss is asked for, so that every kind of batch is
what training would see: points that a PDE's task has placed, a policy's fresh rollout, a sample of a replay memory.
Nothing is stepped.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo.errors import InputError
from zoo.training.config_cli import Parts
from zoo.training.random_state import torch_state
from zoo.training.step import loss_at

Terms = Callable[[], dict[str, Tensor]]


@dataclass(frozen=True)
class Captured:
    """One batch, how its loss terms are computed, torch's random state before that, and which optimiser asks."""

    batch: Any
    terms_of: Terms
    state: list[Tensor]
    optimizer: int = 0


class _Enough(Exception):
    """Ends the run when all is captured."""


def captured(parts: Parts, batches: int = 1, checkpoint: Path | None = None) -> list[Captured]:
    """The next batches of a training, at most one an optimiser of a task that steps by hand.

    Args:
        parts: task, data and trainer; the trainer is spent afterwards.
        batches: how many, of a task whose steps Lightning takes.
        checkpoint: where training goes on from; None: from its start.

    Raises:
        InputError: the training has no step left.
    """
    task, found = parts.task, {}

    def note(batch: Any, terms_of: Terms, optimizer: Any = None) -> None:
        optimizers = task.optimizers()
        optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
        index = next((i for i, one in enumerate(optimizers) if one is optimizer), 0)
        key = (len(found), 0) if task.automatic_optimization else (0, index)
        found.setdefault(key, Captured(batch, terms_of, torch_state(), index))
        if len(found) >= (batches if task.automatic_optimization else len(optimizers)):
            raise _Enough

    task.optimise, task.watched_loss = note, note
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            path = str(checkpoint) if checkpoint else None
            parts.trainer.fit(task, datamodule=parts.data, ckpt_path=path, weights_only=True)
    except _Enough:
        pass
    finally:
        del task.optimise, task.watched_loss
    if not found:
        raise InputError("run: expected a training with a step left, got none; raise trainer.max_epochs")
    return list(found.values())


def loss_of(task: Any, one: Captured) -> Callable[[dict[str, Tensor]], Tensor]:
    """Parameters -> the summed loss terms of a captured batch, with its own random state and the buffers as they are.

    >>> loss_of.__name__
    'loss_of'
    """
    return loss_at(task.net, lambda _net, _batch: one.terms_of(), [one.batch], [one.state])
