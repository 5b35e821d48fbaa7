"""What a Q-learner learns from in one batch: transitions with their targets.

Legend: N = real transitions, M = imagined ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.rl.transitions import Transitions


@dataclass(frozen=True)
class QSamples:
    """Real transitions, and what Q is to say about them: values [N], or probabilities of atoms [N, Z]."""

    real: Transitions
    targets_N: Tensor

    def split(self, size: int) -> Iterator["QSamples"]:
        """Minibatches of `size` real transitions."""
        for real, targets_N in zip(self.real.split(size), self.targets_N.split(size), strict=True):
            yield QSamples(real, targets_N)


@dataclass(frozen=True)
class ImaginedSamples:
    """Real ones, and for each step of imagination as many imagined ones."""

    real: QSamples
    imagined: list[QSamples]

    def split(self, size: int) -> Iterator["ImaginedSamples"]:
        """Minibatches of `size` real transitions with what was imagined from them."""
        parts = (samples.split(size) for samples in (self.real, *self.imagined))
        for real, *imagined in zip(*parts, strict=True):
            yield ImaginedSamples(real, imagined)

    def joined(self) -> QSamples:
        """All of them, the real ones first."""
        every = (self.real, *self.imagined)
        columns = zip(*(samples.real for samples in every), strict=True)
        return QSamples(Transitions(*map(torch.cat, columns)), torch.cat([samples.targets_N for samples in every]))
