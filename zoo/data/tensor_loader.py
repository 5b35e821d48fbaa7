"""A loader for data that fits in memory: tensors sliced by a seeded permutation, no workers, no example at a time."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from zoo.data.seeded_order import SeededOrder, distributed_rank
from zoo.errors import InputError

Batch = tuple[Tensor, ...]


class TensorLoader:
    """Batches of tensors that share their first dimension; takes a DataLoader's place in Lightning.

    Every rank has the same number of batches. Shuffled ranks get equal shares, by repeating a few examples; in order
    (evaluation) every example counts once, so that batches of several ranks may be smaller than `batch_size`.

    Args:
        tensors: all with N examples.
        batch_size: examples a batch and rank; the last one may be smaller.
        shuffle: a new order every epoch, from `seed` alone.
        drop_last: leave a smaller last batch out.
        seed: of the order; by default the one given to torch.manual_seed, the same on all ranks.
        transform: called with each batch, for whole-batch augmentation.
        rank: (this process's, how many there are); by default torch.distributed's when iteration starts.

    Raises:
        InputError: no examples, lengths that differ, a batch size below 1, or `drop_last` that leaves nothing.

    >>> import torch
    >>> loader = TensorLoader((torch.arange(5),), batch_size=2)
    >>> [batch[0].tolist() for batch in loader]
    [[0, 1], [2, 3], [4]]
    """

    batch_sampler = None  # a DataLoader has one, and Lightning asks

    def __init__(
        self,
        tensors: Batch,
        batch_size: int,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int | None = None,
        transform: Callable[[Batch], Any] | None = None,
        rank: tuple[int, int] | None = None,
    ):
        lengths = {len(tensor) for tensor in tensors}
        if len(lengths) != 1 or 0 in lengths:
            raise InputError(f"data: expected tensors of one length above 0, got {sorted(lengths)}; mend the split")
        if batch_size < 1:
            raise InputError(f"batch_size: expected 1 or more, got {batch_size}; mend the recipe")
        self.tensors, self.batch_size, self.drop_last = tensors, batch_size, drop_last
        self.transform, self.rank = transform, rank
        self.sampler = SeededOrder(lengths.pop(), shuffle, seed, even=drop_last)
        if len(self) == 0:
            raise InputError(
                f"batch_size: expected {self.sampler.share(*self._place())} or less with drop_last, got {batch_size}; "
                "else there is no batch"
            )
        self.taken: int | None = None  # batches of an epoch, where Lightning takes fewer than there are
        self._next_batch = 0
        self._epoch = 0
        self._resume: dict[str, int] | None = None

    def __len__(self) -> int:
        """Batches of a rank in one epoch, the same for all."""
        _, ranks = self._place()
        largest, smallest = self.sampler.share(0, ranks), self.sampler.share(ranks - 1, ranks)
        batches = largest // self.batch_size if self.drop_last else -(-largest // self.batch_size)
        return min(batches, smallest)

    def __iter__(self) -> Iterator[Any]:
        """One epoch, or what is left of it after `load_state_dict`.

        Nothing is read before the first `next`: Lightning makes the iterator first and tells the epoch afterwards.
        """
        first = self._first_batch()
        indices = self.sampler.indices(*self._place())
        if indices is not None:
            indices = indices.to(self.tensors[0].device)
        for number, (start, stop) in enumerate(self._borders()[first:], first):
            self._next_batch = number + 1
            if indices is None:
                batch = tuple(tensor[start:stop] for tensor in self.tensors)
            else:
                chosen = indices[start:stop]
                batch = tuple(tensor.index_select(0, chosen) for tensor in self.tensors)
            yield self.transform(batch) if self.transform else batch
        self.sampler.repeats += 1
        self._next_batch = 0

    def newest_indices(self) -> Tensor | None:
        """Which examples the batch given last holds, [B]; None before the first and behind the last of an epoch."""
        if not self._next_batch:
            return None
        start, stop = self._borders()[self._next_batch - 1]
        indices = self.sampler.indices(*self._place())
        return torch.arange(start, stop) if indices is None else indices[start:stop]

    def state_dict(self) -> dict[str, int]:
        """Epoch, the batch that comes next, and what the order depends on."""
        if self._resume is not None:
            return dict(self._resume)
        order = self.sampler
        place = {"epoch": order.epoch, "shift": order.shift, "repeats": order.repeats, "batch": self._next_batch}
        return place | self._shape() | {"taken": self.taken or len(self), "seed": order.read_seed()}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on in the epoch and at the batch that `state_dict` told."""
        self._resume = dict(state)
        self.sampler.set_epoch(state["epoch"])
        if self.sampler.seed is None:
            self.sampler.seed = state["seed"]

    def _first_batch(self) -> int:
        state, self._resume = self._resume, None
        passed, self._epoch = self.sampler.epoch > self._epoch, self.sampler.epoch
        if state is None:
            if passed and 0 < self._next_batch < len(self):
                self.taken = self._next_batch  # limit_train_batches
            return 0
        self.taken = self.taken or state["taken"]
        # With `max_steps` Lightning's epoch number runs ahead of the data: it counts a broken-off epoch as done and
        # then goes on within it, and lets an empty one follow one that had just ended. Go by the data. (An epoch that
        # ended has no batch left to take, or has repeated a loader shorter than its companions.)
        told = self.sampler.epoch
        ended = told > state["epoch"] and (state["batch"] >= self.taken or state["repeats"] > 0)
        self.sampler.shift = state["epoch"] + state["shift"] + ended - told
        if ended:
            return 0
        for name, now in self._shape().items():
            if now != state[name]:
                raise InputError(
                    f"{name}: expected {state[name]}, as in the checkpoint within an epoch, got {now}; "
                    f"resume with {state[name]}"
                )
        self.sampler.repeats = state["repeats"]
        return state["batch"]

    def _shape(self) -> dict[str, int]:
        return {"batch_size": self.batch_size, "examples": self.sampler.examples, "processes": self._place()[1]}

    def _place(self) -> tuple[int, int]:
        return self.rank or distributed_rank()

    def _borders(self) -> list[tuple[int, int]]:
        count, share, size = len(self), self.sampler.share(*self._place()), self.batch_size
        if self._place()[1] == 1 or self.sampler.shuffle or self.drop_last:
            return [(number * size, min((number + 1) * size, share)) for number in range(count)]
        # Shares differ by one example: cut evenly, or one rank would have a batch more and wait for the others.
        return [(share * number // count, share * (number + 1) // count) for number in range(count)]
