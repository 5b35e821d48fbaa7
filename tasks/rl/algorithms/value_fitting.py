"""How a critic with its own optimiser is fitted to a rollout."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from tasks.rl.losses import value_loss
from tasks.rl.samples import Samples, shuffled_minibatches
from zoo.errors import InputError


@dataclass(frozen=True)
class ValueFitting:
    """Several passes of regression on the targets, after the policy's step.

    Args:
        epochs: passes over a rollout.
        minibatches: parts of a pass, one optimiser step each.
    """

    epochs: int = 5
    minibatches: int = 4

    def __post_init__(self):
        if self.epochs < 1 or self.minibatches < 1:
            raise InputError(
                f"model.algorithm.critic: expected epochs and minibatches >= 1, got {self.epochs} and "
                f"{self.minibatches}; mend the recipe"
            )

    def minibatches_of(self, samples: Samples) -> Iterator[Samples]:
        """One for each optimiser step."""
        return shuffled_minibatches(samples, self.epochs, self.minibatches)

    def loss(self, net: nn.Module, samples: Samples) -> dict[str, Tensor]:
        """Squared error of V."""
        return {"value": value_loss(net.value(samples.obs_N), samples.targets_N)}
