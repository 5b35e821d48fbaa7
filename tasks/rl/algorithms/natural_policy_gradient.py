"""Natural policy gradients: with the exact Fisher information, and as natural actor-critic.

Both give the optimiser a divergence whose Hessian is the Fisher information of the policy over the states seen; they
differ in how it is known. `zoo.optim.NaturalGradient` does the rest. The critic has an optimiser of its own.
"""

from dataclasses import dataclass

from torch import nn

from tasks.rl.algorithms.value_fitting import ValueFitting
from tasks.rl.algorithms.whole_rollout import half_squared_log_ratio, mean_kl, once, score_function
from tasks.rl.rollout import Rollout
from tasks.rl.samples import Samples, refuse_trace, samples_of


@dataclass(frozen=True)
class NaturalPolicyGradient:
    """F^-1 dJ/dtheta (Kakade 2001), F the curvature of the mean KL divergence: an expectation over all actions.

    Args:
        gae_lambda: decay of the advantage's trace.
        critic: how V is fitted.
    """

    gae_lambda: float = 0.95
    critic: ValueFitting = ValueFitting()  # noqa: RUF009  frozen

    minibatches_of = staticmethod(once)
    loss = staticmethod(score_function)
    divergence = staticmethod(mean_kl)

    def __post_init__(self):
        refuse_trace(self.gae_lambda)

    def samples(self, net: nn.Module, rollout: Rollout) -> Samples:
        """Valid steps with normalised advantages, which the length of a natural step does not depend on."""
        return samples_of(net, rollout, self.gae_lambda)


@dataclass(frozen=True)
class NaturalActorCritic:
    """The weights w of the compatible features grad log pi(a | s) that fit the advantages best in least squares, which
    are the natural gradient (Peters, Vijayakumar and Schaal 2003; Peters and Schaal 2008).

    The normal equations mean(psi psi') w = mean(psi A) have the Fisher information of the actions that were taken; it
    is the Hessian of mean (log pi - log pi_old)^2 / 2, and the score function is their right-hand side.

    Args:
        gae_lambda: decay of the advantage's trace.
        critic: how V, the part of the value that no action changes, is fitted.
    """

    gae_lambda: float = 0.95
    critic: ValueFitting = ValueFitting()  # noqa: RUF009  frozen

    minibatches_of = staticmethod(once)
    loss = staticmethod(score_function)
    divergence = staticmethod(half_squared_log_ratio)

    def __post_init__(self):
        refuse_trace(self.gae_lambda)

    def samples(self, net: nn.Module, rollout: Rollout) -> Samples:
        """Valid steps with normalised advantages."""
        return samples_of(net, rollout, self.gae_lambda)
