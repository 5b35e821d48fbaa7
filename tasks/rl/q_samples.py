"""What a Q-learner learns from in one batch: transitions with their targets.

Legend: N = transitions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tasks.rl.replay.transitions import Transitions


@dataclass(frozen=True)
class QSamples:
    """Transitions, and what Q is to say about them: values [N], or probabilities of atoms [N, Z].

    `imagined` has, for each step of an imagined rollout, as many transitions that a model made up.
    """

    transitions: Transitions
    targets_N: Tensor
    imagined: list["QSamples"] = field(default_factory=list)

    def split(self, size: int) -> Iterator["QSamples"]:
        """Minibatches of `size` transitions, each with what was imagined from them."""
        columns = (self.transitions.split(size), self.targets_N.split(size))
        for transitions, targets_N, *imagined in zip(
            *columns, *(one.split(size) for one in self.imagined), strict=True
        ):
            yield QSamples(transitions, targets_N, imagined)

    def joined(self) -> "QSamples":
        """All of them as one, the real ones first."""
        every = (self, *self.imagined)
        columns = zip(*(one.transitions for one in every), strict=True)
        return QSamples(Transitions(*map(torch.cat, columns)), torch.cat([one.targets_N for one in every]))
