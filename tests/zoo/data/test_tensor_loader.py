"""The loader against torch.randperm, DistributedSampler's promise, and a run that never stopped."""

import contextlib
import statistics
import time
import warnings

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from zoo.data import TensorLoader, permutation
from zoo.errors import InputError


def numbers(loader) -> list[list[int]]:
    return [batch[0].tolist() for batch in loader]


def test_order_is_randperm_of_seed_and_epoch():
    loader = TensorLoader((torch.arange(10), torch.arange(10) * 2), 4, shuffle=True, seed=7)
    for epoch in (0, 3):
        loader.sampler.set_epoch(epoch)
        twin = torch.randperm(10, generator=torch.Generator().manual_seed(7 + 0x9E3779B9 * (epoch + 1)))
        batches = list(loader)
        assert torch.cat([x for x, _ in batches]).equal(twin)
        assert torch.cat([y for _, y in batches]).equal(2 * twin)
        assert [len(x) for x, _ in batches] == [4, 4, 2]


def test_plain_loops_get_a_new_order_each_time_and_set_epoch_brings_the_first_back():
    loader = TensorLoader((torch.arange(50),), 50, shuffle=True, seed=0)
    first, second = numbers(loader)[0], numbers(loader)[0]
    assert first != second and sorted(first) == sorted(second) == list(range(50))
    loader.sampler.set_epoch(0)
    assert numbers(loader)[0] == first
    assert second == permutation(50, 0, 1).tolist()


def test_seed_defaults_to_torchs_when_iteration_starts():
    loader = TensorLoader((torch.arange(20),), 20, shuffle=True)
    torch.manual_seed(5)
    assert numbers(loader)[0] == permutation(20, 5, 0).tolist()


def test_nothing_is_drawn_from_the_global_generator():
    state = torch.get_rng_state()
    numbers(TensorLoader((torch.arange(9),), 2, shuffle=True))
    assert torch.get_rng_state().equal(state)


@pytest.mark.parametrize("examples", [8, 9, 11, 12])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_partition_the_set_and_have_as_many_batches(examples, batch_size, ranks):
    def loaders(**options):
        return [TensorLoader((torch.arange(examples),), batch_size, rank=(r, ranks), **options) for r in range(ranks)]

    shuffled, ordered = loaders(shuffle=True, seed=1), loaders()
    for group in (shuffled, ordered):
        assert len({len(loader) for loader in group}) == 1
        assert all(len(numbers(loader)) == len(loader) for loader in group)
        assert all(batch for loader in group for batch in numbers(loader))  # none is empty
    for loader in shuffled:
        loader.sampler.set_epoch(0)
    seen = [[i for batch in numbers(loader) for i in batch] for loader in shuffled]
    assert len({len(share) for share in seen}) == 1 and set().union(*seen) == set(range(examples))
    # DistributedSampler's shares: every ranks-th of the order, filled up from its start.
    order = permutation(examples, 1, 0).tolist()
    order += order[: -examples % ranks]
    assert seen == [order[rank::ranks] for rank in range(ranks)]
    assert sorted(i for loader in ordered for batch in numbers(loader) for i in batch) == list(range(examples))


def test_drop_last_repeats_nothing():
    loaders = [TensorLoader((torch.arange(11),), 2, True, drop_last=True, seed=0, rank=(r, 2)) for r in range(2)]
    seen = [i for loader in loaders for batch in numbers(loader) for i in batch]
    assert len(seen) == len(set(seen)) == 8


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tensors": (torch.zeros(3), torch.zeros(4)), "batch_size": 2}, "one length"),
        ({"tensors": (torch.zeros(0),), "batch_size": 2}, "above 0"),
        ({"tensors": (torch.zeros(3),), "batch_size": 0}, "1 or more"),
        ({"tensors": (torch.zeros(3),), "batch_size": 4, "drop_last": True}, "expected 3 or less"),
        ({"tensors": (torch.zeros(3),), "batch_size": 4, "rank": (0, 4)}, "fewer processes"),
    ],
)
def test_bad_input_is_one_line(options, words):
    with pytest.raises(InputError, match=words) as error:
        TensorLoader(**options)
    assert "\n" not in str(error.value)


def test_the_place_is_torch_distributeds_when_iteration_starts(monkeypatch):
    loader = TensorLoader((torch.arange(7),), 2)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    assert numbers(loader) == [[1], [3, 5]] and len(loader) == 2


class Watching(pl.LightningModule):
    """Writes down which examples it is given."""

    def __init__(self, seen):
        super().__init__()
        self.layer, self.seen = nn.Linear(1, 1), seen

    def training_step(self, batch, batch_idx):
        self.seen.append((self.current_epoch, [b[0].tolist() for b in (batch if isinstance(batch, list) else [batch])]))
        return self.layer(torch.zeros(1, 1)).sum()

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loaders(kind: str):
    if kind == "told":  # what a data module knows of limit_train_batches
        loader = TensorLoader((torch.arange(19),), 4, shuffle=True)
        loader.taken = 3
        return loader
    long = TensorLoader((torch.arange(19),), 4, shuffle=True)
    return long if kind == "one" else [long, TensorLoader((torch.arange(5),), 2, shuffle=True, seed=2)]


class Stop(Exception):
    """Stands for a kill."""


class SaveAndStop(pl.Callback):
    """Saves within an epoch and dies before the next batch."""

    def __init__(self, path, steps):
        self.path, self.steps = path, steps

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.steps:
            trainer.save_checkpoint(self.path)

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == self.steps:
            raise Stop


def fit(seen, kind, ckpt_path=None, save=None, seed=3, **options):
    warnings.filterwarnings("ignore", module="pytorch_lightning")  # advice about workers
    torch.manual_seed(seed)
    lean = {"enable_checkpointing": False, "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(accelerator="cpu", **lean, **options)
    val = TensorLoader((torch.arange(3),), 2)
    with contextlib.suppress(Stop):
        trainer.fit(Watching(seen), loaders(kind), val, ckpt_path=ckpt_path, weights_only=True)
    if save:
        trainer.save_checkpoint(save)


@pytest.mark.parametrize("kind", ["one", "two"])  # with two the shorter is cycled within an epoch
@pytest.mark.parametrize("stop", [1, 3, 4, 5, 9, 10, 14])
def test_killed_within_an_epoch_goes_on_with_the_next_batch(tmp_path, kind, stop):
    whole, part = [], []
    fit(whole, kind, max_epochs=3)
    fit(part, kind, max_epochs=3, callbacks=[SaveAndStop(tmp_path / "part.ckpt", stop)])
    assert part == whole[:stop]
    # Another seed of the process: the order is the checkpoint's.
    fit(part, kind, max_epochs=3, ckpt_path=tmp_path / "part.ckpt", seed=4)
    assert part == whole and len(whole) == 15


@pytest.mark.parametrize("stops", [[1], [3, 4], [5], [7, 12], [10], [4, 9, 14]])
def test_stopped_by_max_steps_goes_on_with_the_next_batch(tmp_path, stops):
    whole, part, path = [], [], None
    fit(whole, "one", max_steps=22)
    for stop in [*stops, 22]:
        fit(part, "one", max_steps=stop, ckpt_path=path, save=tmp_path / f"{stop}.ckpt", seed=stop if path else 3)
        path = tmp_path / f"{stop}.ckpt"
    assert [order for _, order in part] == [order for _, order in whole]  # Lightning's epoch numbers differ


@pytest.mark.parametrize(("kind", "stop"), [("told", 2), ("told", 3), ("told", 4), ("told", 6), ("one", 6), ("one", 7)])
def test_an_epoch_of_fewer_batches_ends_where_lightning_ends_it(tmp_path, kind, stop):
    whole, part, limits = [], [], {"max_epochs": 3, "limit_train_batches": 3}
    fit(whole, kind, **limits)
    fit(part, kind, callbacks=[SaveAndStop(tmp_path / "part.ckpt", stop)], **limits)
    fit(part, kind, ckpt_path=tmp_path / "part.ckpt", seed=4, **limits)
    assert part == whole and len(whole) == 9


def test_resumed_at_an_epochs_end_follows_lightnings_epoch(tmp_path):
    whole, part = [], []
    fit(whole, "one", max_epochs=4)
    fit(part, "one", max_epochs=2, save=tmp_path / "part.ckpt")
    fit(part, "one", max_epochs=4, ckpt_path=tmp_path / "part.ckpt")
    assert part == whole
    assert len({str(order) for _, order in whole}) == len(whole)  # epochs differ


def test_a_state_read_back_at_once_is_the_same_state():
    loader, other = (TensorLoader((torch.arange(9),), 2, shuffle=True, seed=1) for _ in range(2))
    batches = iter(loader)
    next(batches), next(batches)
    other.load_state_dict(loader.state_dict())
    assert other.state_dict() == loader.state_dict()
    assert numbers(other) == [batch[0].tolist() for batch in batches]


@pytest.mark.parametrize(("batch_size", "examples", "name"), [(3, 9, "batch_size"), (2, 8, "examples")])
def test_resume_within_an_epoch_refuses_another_cut(batch_size, examples, name):
    loader = TensorLoader((torch.arange(9),), 2, shuffle=True, seed=1)
    next(iter(loader))
    other = TensorLoader((torch.arange(examples),), batch_size, shuffle=True, seed=1)
    other.load_state_dict(loader.state_dict())
    with pytest.raises(InputError, match=f"{name}: expected"):
        next(iter(other))
    other = TensorLoader((torch.arange(examples),), batch_size, shuffle=True, seed=1)
    for _ in zip(range(len(loader)), loader, strict=False):
        pass
    other.load_state_dict(loader.state_dict())
    other.sampler.set_epoch(1)  # at an epoch's end another size is welcome
    assert len(numbers(other)) == len(other)


def test_a_batch_costs_little():
    loader = TensorLoader((torch.zeros(60000, 8), torch.zeros(60000)), 8, shuffle=True, seed=0)
    batches, spent = iter(loader), []
    next(batches)
    for _ in range(2000):
        start = time.perf_counter()
        next(batches)
        spent.append(time.perf_counter() - start)
    assert statistics.median(spent) < 100e-6  # 10-20 us on a quiet machine
