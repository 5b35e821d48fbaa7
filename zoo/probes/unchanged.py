"""What a reading leaves as it was: random numbers and buffers. (Hooks are taken off, `.grad` is never written.)"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from zoo.training.random_state import torch_state_kept


@contextmanager
def unchanged(net: nn.Module) -> Iterator[None]:
    """Run the net inside, in training mode too: torch's generators and its buffers are as before afterwards.

    >>> net = nn.BatchNorm1d(2)
    >>> with unchanged(net): _ = net(torch.randn(4, 2))
    >>> net.num_batches_tracked.item()
    0
    """
    before = [(buffer, buffer.clone()) for buffer in net.buffers()]
    with torch_state_kept():
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, value in before:
                    if not torch.equal(buffer, value):  # writing to others would spoil graphs that hold them
                        buffer.copy_(value)
