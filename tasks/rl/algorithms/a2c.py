"""Advantage actor-critic with generalised advantage estimates (Mnih et al. 2016, Schulman et al. 2015)."""

from dataclasses import dataclass

from torch import Tensor, nn

from tasks.rl.algorithms.whole_rollout import once
from tasks.rl.losses import policy_gradient_loss, value_loss
from tasks.rl.rollout import Rollout
from tasks.rl.samples import Samples, refuse_trace, samples_of


@dataclass(frozen=True)
class A2C:
    """One optimiser step a rollout along the score-function gradient, the critic's advantage in place of the return.

    Args:
        gae_lambda: decay of the advantage's trace.
        value_weight: of the value loss.
        entropy_weight: of the policy's entropy.
        normalise_advantages: to mean 0 and standard deviation 1 over the rollout.
    """

    gae_lambda: float = 1.0
    value_weight: float = 0.5
    entropy_weight: float = 0.0
    normalise_advantages: bool = False

    minibatches_of = staticmethod(once)

    def __post_init__(self):
        refuse_trace(self.gae_lambda)

    def samples(self, net: nn.Module, rollout: Rollout) -> Samples:
        """Valid steps with their advantages."""
        return samples_of(net, rollout, self.gae_lambda, self.normalise_advantages)

    def loss(self, net: nn.Module, samples: Samples) -> dict[str, Tensor]:
        """Policy, value and, where it weighs, entropy."""
        policy, values_N = net.policy_and_value(samples.obs_N)
        terms = {
            "policy": policy_gradient_loss(policy.log_prob(samples.actions_N), samples.advantages_N),
            "value": self.value_weight * value_loss(values_N, samples.targets_N),
        }
        if self.entropy_weight:
            terms["entropy"] = -self.entropy_weight * policy.entropy().mean()
        return terms
