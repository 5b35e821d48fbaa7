"""Exact means over a data set, whatever the batch sizes and however many ranks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import InputError


class Means:
    """Running sums of named figures, on the device until `close`.

    >>> means = Means()
    >>> means.add({"accuracy": torch.tensor([1.0, 0.0, 1.0])}, examples=3)
    >>> means.add({"accuracy": torch.tensor([1.0])}, examples=1)
    >>> means.close(lambda tensor: tensor)
    {'accuracy': 0.75}
    """

    def __init__(self):
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, figures: dict[str, Tensor], examples: int) -> None:
        """Add figures of one batch: [N] tensors, one an example, or scalars that are means over the batch."""
        self._count += examples
        for name, figure in figures.items():
            figure = figure.detach() if figure.dtype == torch.float64 else figure.detach().float()
            total = figure.sum() if figure.dim() else figure * examples
            self._sums[name] = self._sums[name] + total if name in self._sums else total

    def close(self, reduce_sum: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Means over all batches and ranks; the sums start anew."""
        if not self._count:
            return {}
        names = sorted(self._sums)
        first = self._sums[names[0]]
        sums = torch.stack([self._sums[name] for name in names] + [first.new_tensor(float(self._count))])
        *totals, count = reduce_sum(sums).tolist()
        self._sums, self._count = {}, 0
        return {name: total / count for name, total in zip(names, totals, strict=True)}


def batch_size(batch: Any) -> int:
    """Length of the first tensor found in a batch.

    Raises:
        InputError: there is none.

    >>> batch_size((torch.zeros(5, 2), torch.zeros(5)))
    5
    """
    if isinstance(batch, Tensor):
        return len(batch) if batch.dim() else 1
    parts = batch.values() if isinstance(batch, dict) else batch if isinstance(batch, (tuple, list)) else ()
    for part in parts:
        if isinstance(part, Tensor):
            return batch_size(part)
    raise InputError(f"batch: expected a tensor or a tuple, list or dict with one, got {type(batch).__name__}")


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """`net` in eval mode inside; every module's mode as before afterwards."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
