"""Natural policy gradients: with the exact Fisher information, and as natural actor-critic.

Both give the optimiser a divergence whose Hessian is the Fisher information of the policy over the states seen; they
differ in how it is known. `zoo.optim.NaturalGradient` does the rest. The critic has an optimiser of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from tasks.rl.algorithms.value_fitting import ValueFitting
from tasks.rl.losses import policy_gradient_loss
from tasks.rl.rollout import Rollout
from tasks.rl.samples import Samples, samples_of


@dataclass(frozen=True)
class NaturalPolicyGradient:
    """F^-1 dJ/dtheta (Kakade 2001), F the curvature of the mean KL divergence: an expectation over all actions.

    Args:
        gae_lambda: decay of the advantage's trace.
        critic: how V is fitted.
    """

    gae_lambda: float = 0.95
    critic: ValueFitting = ValueFitting()  # noqa: RUF009  frozen

    def samples(self, net: nn.Module, rollout: Rollout) -> Samples:
        """Valid steps with normalised advantages, which the length of a natural step does not depend on."""
        return samples_of(net, rollout, self.gae_lambda)

    def minibatches_of(self, samples: Samples) -> Iterator[Samples]:
        """The rollout as a whole, once."""
        yield samples

    def loss(self, net: nn.Module, samples: Samples) -> dict[str, Tensor]:
        """The policy's score function."""
        log_probs_N = net.policy(samples.obs_N).log_prob(samples.actions_N)
        return {"policy": policy_gradient_loss(log_probs_N, samples.advantages_N)}

    def divergence(self, net: nn.Module, samples: Samples) -> Tensor:
        """Mean KL from the policy that collected the rollout."""
        return net.policy(samples.obs_N).kl_from(samples.policy).mean()


@dataclass(frozen=True)
class NaturalActorCritic:
    """The weights w of the compatible features grad log pi(a | s) that fit the advantages best in least squares, which
    are the natural gradient (Peters, Vijayakumar and Schaal 2003; Peters and Schaal 2008).

    The normal equations mean(psi psi') w = mean(psi A) have the Fisher information of the actions that were taken; it
    is the Hessian of mean (log pi - log pi_old)^2 / 2.

    Args:
        gae_lambda: decay of the advantage's trace.
        critic: how V, the part of the value that no action changes, is fitted.
    """

    gae_lambda: float = 0.95
    critic: ValueFitting = ValueFitting()  # noqa: RUF009  frozen

    def samples(self, net: nn.Module, rollout: Rollout) -> Samples:
        """Valid steps with normalised advantages."""
        return samples_of(net, rollout, self.gae_lambda)

    def minibatches_of(self, samples: Samples) -> Iterator[Samples]:
        """The rollout as a whole, once."""
        yield samples

    def loss(self, net: nn.Module, samples: Samples) -> dict[str, Tensor]:
        """The policy's score function: the right-hand side of the normal equations."""
        log_probs_N = net.policy(samples.obs_N).log_prob(samples.actions_N)
        return {"policy": policy_gradient_loss(log_probs_N, samples.advantages_N)}

    def divergence(self, net: nn.Module, samples: Samples) -> Tensor:
        """Half the mean square of the log ratio: the KL divergence to second order."""
        log_ratio_N = net.policy(samples.obs_N).log_prob(samples.actions_N) - samples.log_probs_N
        return 0.5 * log_ratio_N.square().mean()
