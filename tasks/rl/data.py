"""The "data" of an agent: numbers of rollouts, each collected when its turn comes."""

import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from zoo.errors import InputError


class Rollouts(LightningDataModule):
    """One batch is one rollout with all its updates; the batch itself is its number.

    The loader has a length, so that Lightning fetches no batch ahead: each rollout is collected by the newest policy.

    Args:
        per_epoch: rollouts from one evaluation, and checkpoint, to the next.
    """

    def __init__(self, per_epoch: int = 10):
        super().__init__()
        if per_epoch < 1:
            raise InputError(f"data.per_epoch: expected 1 rollout or more, got {per_epoch}; mend the recipe")
        self.per_epoch = per_epoch

    def train_dataloader(self) -> DataLoader:
        """Numbers 0 .. per_epoch - 1."""
        return numbers(self.per_epoch)

    def val_dataloader(self) -> DataLoader:
        """One evaluation."""
        return numbers(1)

    def test_dataloader(self) -> DataLoader:
        """One evaluation."""
        return numbers(1)


def numbers(count: int) -> DataLoader:
    """A loader of 0 .. count - 1, each by itself."""
    # A generator of its own: a loader draws a seed at every epoch, which is not to disturb the policy's random numbers.
    return DataLoader(torch.arange(count), batch_size=None, generator=torch.Generator())
