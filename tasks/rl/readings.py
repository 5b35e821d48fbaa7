"""What agents record: of the episodes that ended, and of what an update did to the policy and its critic."""

import torch
from torch import Tensor, nn

from tasks.rl.losses import approximate_kl
from tasks.rl.memory import remembers
from tasks.rl.returns import explained_variance
from tasks.rl.rollout import Episodes
from tasks.rl.samples import Samples

STATES = 500  # about as many are asked for entropy and KL: one more pass over a whole rollout would be 4 % of a run


@torch.no_grad()
def policy_readings(net: nn.Module, samples: Samples) -> dict[str, Tensor]:
    """Entropy of the policy as it is, KL from the one that collected the rollout, variance that the critic explained.

    Args:
        net: after its updates.
        samples: of the rollout; every so many are taken, an odd number, which meets every environment of an even count.
    """
    obs_N, actions_N, log_probs_N = samples.obs_N, samples.actions_N, samples.log_probs_N
    if not remembers(net):
        each = len(samples) // STATES | 1
        obs_N, actions_N, log_probs_N = obs_N[::each], actions_N[::each], log_probs_N[::each]
    policy = net.policy(obs_N)
    return {
        "entropy": policy.entropy().mean(),
        "kl": approximate_kl(policy.log_prob(actions_N) - log_probs_N),
        "explained_variance": explained_variance(samples.values_N, samples.targets_N),
    }


def episode_readings(episodes: Episodes) -> dict[str, Tensor]:
    """Mean return and length, and the 10 and 90 % quantiles of returns; nothing where no episode ended.

    >>> {name: round(float(value), 2) for name, value in episode_readings(Episodes([0.0, 10.0], [3, 5])).items()}
    {'return': 5.0, 'return_low': 1.0, 'return_high': 9.0, 'length': 4.0}
    """
    if not episodes.returns:
        return {}
    returns_E = torch.tensor(episodes.returns)
    low, high = returns_E.quantile(torch.tensor([0.1, 0.9]))
    length = torch.tensor(episodes.lengths, dtype=returns_E.dtype).mean()
    return {"return": returns_E.mean(), "return_low": low, "return_high": high, "length": length}
