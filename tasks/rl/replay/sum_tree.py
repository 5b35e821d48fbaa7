"""Drawing in proportion to weights that change: a sum tree with 64 children a node.

Legend: N = weights set or drawn together.
"""

import numpy as np

FAN = 64  # children of a node: a million weights are four levels, each one vectorised pass


class SumTree:
    """Weights w_i >= 0 and the sums of their blocks; setting and finding cost log_64(size) passes over [N, 64].

    A node is summed anew from its children whenever one changes, so that rounding errors do not add up.

    Args:
        size: number of weights, all zero at first.

    >>> tree = SumTree(3)
    >>> tree.set(np.arange(3), np.array([1.0, 0.0, 3.0]))
    >>> tree.total, tree.find(np.array([0.5, 1.0, 3.9])).tolist()
    (4.0, [0, 2, 2])
    """

    def __init__(self, size: int):
        self.levels: list[np.ndarray] = []  # from the weights, [blocks, 64], up to one block
        while not self.levels or len(self.levels[-1]) > 1:
            size = -(-size // FAN)
            self.levels.append(np.zeros((size, FAN)))

    @property
    def weights(self) -> np.ndarray:
        """All weights, flat, as a view."""
        return self.levels[0].reshape(-1)

    @property
    def total(self) -> float:
        """Sum of all weights."""
        return float(self.levels[-1].sum())

    def set(self, index_N: np.ndarray, weights_N: np.ndarray | float) -> None:
        """Give the weights at `index_N` new values."""
        self.weights[index_N] = weights_N
        for below, above in zip(self.levels[:-1], self.levels[1:], strict=True):
            index_N = index_N // FAN
            above.reshape(-1)[index_N] = below[index_N].sum(1)

    def find(self, mass_N: np.ndarray) -> np.ndarray:
        """Index i with w_0 + ... + w_{i-1} <= mass < w_0 + ... + w_i, for 0 <= mass < total; never one of weight 0."""
        block_N = np.zeros(len(mass_N), dtype=np.int64)
        for level in reversed(self.levels):
            sums_NF = level[block_N].cumsum(1)
            # Sums of a level and of the one below differ by rounding: what is left never leaves the block.
            mass_N = np.minimum(mass_N, np.nextafter(sums_NF[:, -1], 0.0))
            child_N = (sums_NF <= mass_N[:, None]).sum(1)
            before_N = np.where(child_N > 0, sums_NF[np.arange(len(mass_N)), child_N - 1], 0.0)
            mass_N = mass_N - before_N
            block_N = block_N * FAN + child_N
        return block_N
