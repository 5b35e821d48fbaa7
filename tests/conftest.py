"""What the tests share: small tasks on made data, and a quiet Trainer."""

import sqlite3
import warnings
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from zoo.data import TensorLoader
from zoo.training.task import TaskModule
from zoo.training.trainer import Trainer


class Regression(TaskModule):
    """Two loss terms on (x, y), so that term gradients have something to say."""

    def loss(self, net: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        x, y = batch
        out = net(x)
        return {"fit": (out - y).square().mean(), "size": 0.1 * out.square().mean()}


class ManualRegression(Regression):
    """The same by manual optimisation: two optimiser steps a batch."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        for _ in range(2):
            self.optimise(batch, lambda: self.objective(batch))


@pytest.fixture(autouse=True)
def seeded():
    """Every test draws the same numbers, on one thread."""
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture
def make_net() -> Callable[[], nn.Module]:
    """A small net with batch norm and dropout, the same at every call."""

    def make() -> nn.Module:
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 2))

    return make


@pytest.fixture
def data() -> tuple[Tensor, Tensor]:
    """64 examples of 3 numbers and 2 targets."""
    generator = torch.Generator().manual_seed(2)
    return torch.randn(64, 3, generator=generator), torch.randn(64, 2, generator=generator)


@pytest.fixture
def loader(data) -> TensorLoader:
    """Shuffled batches of 16."""
    return TensorLoader(data, 16, shuffle=True, seed=3)


@pytest.fixture
def adam():
    """An optimiser factory."""
    return partial(torch.optim.Adam, lr=0.01)


@pytest.fixture
def quick() -> Callable[..., Trainer]:
    """A Trainer on one CPU without advice about workers and intervals."""

    def make(**options) -> Trainer:
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        return Trainer(**{"accelerator": "cpu", "max_epochs": 2, **options})

    return make


def readings_of(record) -> list[tuple]:
    """Every reading of a record, sorted, for comparison bit by bit."""
    return sorted(record._db.execute("SELECT layer, quantity, step, value FROM record").fetchall(), key=repr)


assert sqlite3.threadsafety >= 1  # the record is written from whichever thread flushes
