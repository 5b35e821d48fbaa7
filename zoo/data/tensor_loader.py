"""A loader for data that fits in memory: tensors sliced by a seeded permutation, no workers, no example at a time."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from zoo.errors import InputError

Batch = tuple[Tensor, ...]


class SeededOrder:
    """Order of the examples: a pure function of (seed, epoch), cut into equal shares for the ranks.

    Lightning tells a loader's `sampler` the epoch, so that a resumed run goes on with the order it would have had.
    """

    def __init__(self, examples: int, shuffle: bool, seed: int | None):
        self.examples, self.shuffle, self._seed, self.epoch = examples, shuffle, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch

    def indices(self, rank: int = 0, ranks: int = 1) -> Tensor | None:
        """Indices of this rank; None when they are all examples in their own order.

        Shuffled (training) shares are made equal by repeating a few examples, since ranks step together; shares in
        order (evaluation) are not, so that every example counts once.
        """
        if not self.shuffle:
            return None if ranks == 1 else torch.arange(rank, self.examples, ranks)
        seed = torch.initial_seed() if self._seed is None else self._seed
        generator = torch.Generator().manual_seed((seed + 0x9E3779B9 * (self.epoch + 1)) % 2**63)
        order = torch.randperm(self.examples, generator=generator)
        missing = -self.examples % ranks
        return torch.cat([order, order[:missing]])[rank::ranks] if ranks > 1 else order

    def __len__(self) -> int:
        return self.examples


class TensorLoader:
    """Batches of tensors that share their first dimension; takes a DataLoader's place in Lightning.

    Args:
        tensors: all with N examples.
        batch_size: examples a batch; the last one may be smaller.
        shuffle: a new order every epoch, from `seed` alone.
        drop_last: leave a smaller last batch out.
        seed: of the order; by default the one given to torch.manual_seed, the same on all ranks.
        transform: called with each batch, for whole-batch augmentation.

    Raises:
        InputError: no examples, lengths that differ, or a batch size below 1.

    >>> loader = TensorLoader((torch.arange(5),), batch_size=2)
    >>> [batch[0].tolist() for batch in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        tensors: Batch,
        batch_size: int,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int | None = None,
        transform: Callable[[Batch], Any] | None = None,
    ):
        lengths = {len(tensor) for tensor in tensors}
        if len(lengths) != 1 or 0 in lengths:
            raise InputError(f"data: expected tensors of one length above 0, got {sorted(lengths)}; mend the split")
        if batch_size < 1:
            raise InputError(f"batch_size: expected 1 or more, got {batch_size}; mend the recipe")
        self.tensors, self.batch_size, self.drop_last, self.transform = tensors, batch_size, drop_last, transform
        self.sampler = SeededOrder(lengths.pop(), shuffle, seed)
        self.batch_sampler = None  # DataLoader has one; Lightning asks
        self._next_batch = 0
        self._resume: dict[str, int] | None = None

    def __len__(self) -> int:
        """Batches of this rank in one epoch."""
        rank, ranks = distributed_rank()
        examples = self.sampler.examples
        share = -(-examples // ranks) if self.sampler.shuffle else len(range(rank, examples, ranks))
        return share // self.batch_size if self.drop_last else -(-share // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        """One epoch, or what is left of it after `load_state_dict`."""
        resume, self._resume = self._resume, None
        goes_on = resume is not None and resume["epoch"] == self.sampler.epoch
        indices = self.sampler.indices(*distributed_rank())
        for number in range(resume["batch"] if goes_on else 0, len(self)):
            self._next_batch = number + 1
            start, stop = number * self.batch_size, (number + 1) * self.batch_size
            if indices is None:
                batch = tuple(tensor[start:stop] for tensor in self.tensors)
            else:
                chosen = indices[start:stop]
                batch = tuple(tensor.index_select(0, chosen) for tensor in self.tensors)
            yield self.transform(batch) if self.transform else batch

    def state_dict(self) -> dict[str, int]:
        """Epoch and the batch that comes next."""
        return {"epoch": self.sampler.epoch, "batch": self._next_batch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on in the epoch and at the batch that `state_dict` told."""
        self._resume = state


def distributed_rank() -> tuple[int, int]:
    """This process's rank and the number of ranks; (0, 1) without torch.distributed."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
