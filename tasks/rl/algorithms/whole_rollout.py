"""What algorithms share that step once a rollout, on all of it: natural gradients, TRPO, actor-critic, REINFORCE."""

from collections.abc import Iterator

from torch import Tensor, nn

from tasks.rl.losses import policy_gradient_loss
from tasks.rl.samples import Samples


def once(samples: Samples) -> Iterator[Samples]:
    """The rollout as a whole, once.

    >>> list(once("all of it"))
    ['all of it']
    """
    yield samples


def score_function(net: nn.Module, samples: Samples) -> dict[str, Tensor]:
    """-mean(log pi(a) A), whose gradient is that of -J; the critic is fitted by itself."""
    log_probs_N = net.policy(samples.obs_N).log_prob(samples.actions_N)
    return {"policy": policy_gradient_loss(log_probs_N, samples.advantages_N)}


def mean_kl(net: nn.Module, samples: Samples) -> Tensor:
    """Mean KL divergence from the policy that collected the rollout: its Hessian is the Fisher information."""
    return net.policy(samples.obs_N).kl_from(samples.policy).mean()


def half_squared_log_ratio(net: nn.Module, samples: Samples) -> Tensor:
    """mean (log pi - log pi_old)^2 / 2 of the actions taken: the KL divergence to second order."""
    log_ratio_N = net.policy(samples.obs_N).log_prob(samples.actions_N) - samples.log_probs_N
    return 0.5 * log_ratio_N.square().mean()
