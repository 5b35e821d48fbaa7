"""Which examples of the data set a training batch holds, so that a reading of one can name it."""

from typing import Any

from pytorch_lightning import Trainer
from torch import Tensor

from zoo.data import TensorLoader


def example_indices(trainer: Trainer, batch: Any) -> Tensor | None:
    """Indices into the training set, [B] on the CPU; None where they are not known.

    Known of batches that are dicts with an entry `index`, and of those that a `TensorLoader` has just given.
    """
    if isinstance(batch, dict):
        index = batch.get("index")
        return index.detach().cpu().reshape(-1) if isinstance(index, Tensor) else None
    loader = trainer.train_dataloader
    return loader.newest_indices() if isinstance(loader, TensorLoader) else None
