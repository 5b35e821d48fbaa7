"""REINFORCE with a baseline (Williams 1992)."""

from dataclasses import dataclass

from torch import Tensor, nn

from tasks.rl.algorithms.whole_rollout import once
from tasks.rl.losses import policy_gradient_loss, value_loss
from tasks.rl.rollout import Rollout
from tasks.rl.samples import Samples, samples_of


@dataclass(frozen=True)
class Reinforce:
    """One optimiser step a rollout along grad log pi(a) (G - b); the baseline b = V is learnt from the same returns.

    The return G is what was earned up to the rollout's end and V of the last observation beyond it: a rollout as long
    as an episode is the textbook's algorithm, a shorter one an n-step return.

    Args:
        baseline: subtract V; False leaves the plain score function, with more variance and the same mean.
        value_weight: of the value loss.
        normalise_advantages: to mean 0 (with a baseline) and standard deviation 1 over the rollout.
    """

    baseline: bool = True
    value_weight: float = 0.5
    normalise_advantages: bool = True

    minibatches_of = staticmethod(once)

    def samples(self, net: nn.Module, rollout: Rollout) -> Samples:
        """Valid steps with the returns that followed."""
        samples = samples_of(net, rollout, 1.0, self.normalise_advantages and self.baseline)
        if self.baseline:
            return samples
        gained_N = samples.targets_N
        if self.normalise_advantages:
            gained_N = gained_N / (gained_N.std() + 1e-8)
        return Samples(**{**vars(samples), "advantages_N": gained_N})

    def loss(self, net: nn.Module, samples: Samples) -> dict[str, Tensor]:
        """Policy and value."""
        policy, values_N = net.policy_and_value(samples.obs_N)
        return {
            "policy": policy_gradient_loss(policy.log_prob(samples.actions_N), samples.advantages_N),
            "value": self.value_weight * value_loss(values_N, samples.targets_N),
        }
