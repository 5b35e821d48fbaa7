"""Proximal policy optimisation (Schulman et al. 2017)."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from tasks.rl.losses import clipped_surrogate_loss, value_loss
from tasks.rl.rollout import Rollout
from tasks.rl.samples import Samples, refuse_trace, samples_of, shuffled_minibatches
from zoo.errors import InputError


@dataclass(frozen=True)
class PPO:
    """Several passes over a rollout; the gain of a step whose probability has moved by more than `clip` counts no more.

    Args:
        epochs: passes over a rollout.
        minibatches: parts of a pass, one optimiser step each.
        clip: of the probability ratio.
        gae_lambda: decay of the advantage's trace.
        value_weight: of the value loss.
        entropy_weight: of the policy's entropy, which keeps it exploring.
    """

    epochs: int = 4
    minibatches: int = 4
    clip: float = 0.2
    gae_lambda: float = 0.95
    value_weight: float = 0.5
    entropy_weight: float = 0.0

    def __post_init__(self):
        refuse_trace(self.gae_lambda)
        if self.epochs < 1 or self.minibatches < 1 or self.clip <= 0:
            raise InputError(
                "model.algorithm: expected epochs and minibatches >= 1, clip > 0, got "
                f"{self.epochs}, {self.minibatches} and {self.clip}; mend the recipe"
            )

    def samples(self, net: nn.Module, rollout: Rollout) -> Samples:
        """Valid steps with normalised advantages."""
        return samples_of(net, rollout, self.gae_lambda)

    def minibatches_of(self, samples: Samples) -> Iterator[Samples]:
        """One for each optimiser step."""
        return shuffled_minibatches(samples, self.epochs, self.minibatches)

    def loss(self, net: nn.Module, samples: Samples) -> dict[str, Tensor]:
        """Policy, value and, where it weighs, entropy."""
        policy, values_N = net.policy_and_value(samples.obs_N)
        log_ratio_N = policy.log_prob(samples.actions_N) - samples.log_probs_N
        terms = {
            "policy": clipped_surrogate_loss(log_ratio_N, samples.advantages_N, self.clip),
            "value": self.value_weight * value_loss(values_N, samples.targets_N),
        }
        if self.entropy_weight:
            terms["entropy"] = -self.entropy_weight * policy.entropy().mean()
        return terms
