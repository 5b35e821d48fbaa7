"""An order of examples in which those of a batch are of like length, so that little of it is padding."""

import torch
from torch import Tensor

from zoo.data.seeded_order import SeededOrder, permutation


class LengthOrder(SeededOrder):
    """A seeded order, sorted by length within pools of `pool` batches, the batches of a pool shuffled again.

    Still a pure function of (seed, epoch): a resumed run goes on with the order it would have had.

    Args:
        lengths_N: of every example, such as words or frames.
        batch_size: examples a batch.
        pool: batches sorted together; 1 does not sort, a large number leaves little chance.
        seed: see `SeededOrder`.
    """

    def __init__(self, lengths_N: Tensor, batch_size: int, pool: int = 20, seed: int | None = None):
        super().__init__(len(lengths_N), shuffle=True, seed=seed)
        self.lengths_N, self.batch_size, self.pool = lengths_N, batch_size, pool

    def indices(self, rank: int = 0, ranks: int = 1) -> Tensor:
        """See `SeededOrder.indices`."""
        order = super().indices(rank, ranks)
        seed = self.read_seed() + self.epoch + self.shift + self.repeats
        pools = order.split(self.pool * self.batch_size)
        return torch.cat([self._by_length(pool, seed + number) for number, pool in enumerate(pools)])

    def _by_length(self, pool: Tensor, seed: int) -> Tensor:
        batches = pool[self.lengths_N[pool].argsort(stable=True)].split(self.batch_size)
        whole = len(batches) - (len(batches[-1]) < self.batch_size)  # a short batch stays last
        return torch.cat([*(batches[i] for i in permutation(whole, seed, 0)), *batches[whole:]])
