"""The order of the examples in an epoch, and each rank's share of it."""

import torch
from torch import Tensor

from zoo.errors import InputError


class SeededOrder:
    """Order of the examples: a pure function of (seed, epoch), cut into equal shares for the ranks.

    Lightning tells a loader's `sampler` the epoch, so that a resumed run goes on with the order it would have had.

    Args:
        examples: how many there are in all.
        shuffle: a new order every epoch; otherwise their own.
        seed: of the orders; by default the one given to torch.manual_seed, read when iteration starts.
        even: give up the last few examples of an order, fewer than there are ranks, instead of repeating some.
    """

    def __init__(self, examples: int, shuffle: bool = False, seed: int | None = None, even: bool = False):
        self.examples, self.shuffle, self.seed, self.even = examples, shuffle, seed, even
        self.epoch = 0
        self.repeats = 0  # passes finished since the epoch was told: a loop without Lightning tells none
        self.shift = 0  # how far Lightning's epoch numbers ran ahead, at most 0; see TensorLoader

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch, self.repeats = epoch, 0

    def share(self, rank: int = 0, ranks: int = 1) -> int:
        """How many examples a rank gets.

        Raises:
            InputError: there are fewer examples than ranks.
        """
        if self.examples < ranks:
            raise InputError(
                f"data: expected an example or more for each of {ranks} processes, got {self.examples}; "
                "use fewer processes"
            )
        if self.even:
            return self.examples // ranks
        return -(-self.examples // ranks) if self.shuffle else len(range(rank, self.examples, ranks))

    def indices(self, rank: int = 0, ranks: int = 1) -> Tensor | None:
        """Indices of this rank; None when they are all examples in their own order.

        Shuffled (training) shares are made equal by repeating a few examples, since ranks step together; shares in
        order (evaluation) are not, so that every example counts once.
        """
        share = self.share(rank, ranks)
        if not self.shuffle:
            return None if ranks == 1 else torch.arange(rank, self.examples, ranks)[:share]
        order = permutation(self.examples, self.read_seed(), self.epoch + self.shift + self.repeats)
        return order if ranks == 1 else torch.cat([order, order[: ranks - 1]])[rank::ranks][:share]

    def read_seed(self) -> int:
        """The seed; torch's own from the first reading on, where none was given."""
        if self.seed is None:
            self.seed = torch.initial_seed()
        return self.seed

    def __len__(self) -> int:
        return self.examples


def permutation(examples: int, seed: int, epoch: int) -> Tensor:
    """A random order of 0 .. examples - 1 that depends on nothing else, int64 [examples]."""
    # torch keeps 32 bits of a seed: the golden ratio's stride keeps (seed, epoch) and (seed + 1, epoch - 1) apart.
    generator = torch.Generator().manual_seed((seed + 0x9E3779B9 * (epoch + 1)) % 2**63)
    return torch.randperm(examples, generator=generator)


def distributed_rank() -> tuple[int, int]:
    """This process's rank and the number of ranks; (0, 1) without torch.distributed."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
