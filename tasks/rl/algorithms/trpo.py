"""Trust region policy optimisation (Schulman et al. 2015)."""

from dataclasses import dataclass

from torch import Tensor, nn

from tasks.rl.algorithms.value_fitting import ValueFitting
from tasks.rl.algorithms.whole_rollout import mean_kl, once
from tasks.rl.losses import surrogate_loss
from tasks.rl.rollout import Rollout
from tasks.rl.samples import Samples, refuse_trace, samples_of


@dataclass(frozen=True)
class TRPO:
    """The surrogate mean(rho A) is raised within a mean KL divergence: `zoo.optim.TrustRegion` is its optimiser.

    Args:
        gae_lambda: decay of the advantage's trace.
        entropy_weight: of the policy's entropy, part of what the line search raises.
        critic: how V is fitted.
    """

    gae_lambda: float = 0.95
    entropy_weight: float = 0.0
    critic: ValueFitting = ValueFitting()  # noqa: RUF009  frozen

    minibatches_of = staticmethod(once)
    divergence = staticmethod(mean_kl)

    def __post_init__(self):
        refuse_trace(self.gae_lambda)

    def samples(self, net: nn.Module, rollout: Rollout) -> Samples:
        """Valid steps with normalised advantages."""
        return samples_of(net, rollout, self.gae_lambda)

    def loss(self, net: nn.Module, samples: Samples) -> dict[str, Tensor]:
        """Policy and, where it weighs, entropy."""
        policy = net.policy(samples.obs_N)
        log_ratio_N = policy.log_prob(samples.actions_N) - samples.log_probs_N
        terms = {"policy": surrogate_loss(log_ratio_N, samples.advantages_N)}
        if self.entropy_weight:
            terms["entropy"] = -self.entropy_weight * policy.entropy().mean()
        return terms
