"""Policy gradients with parameter-based exploration (Sehnke et al. 2010): exploring once an episode, not once a step.

A policy's parameters are drawn from N(mean, std^2), the policy itself is deterministic, and mean and std follow the
score function of that normal distribution.

Legend: K = policies, the second half of them mirrored from the first; P = parameters of one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.rl.distributions import DiagonalGaussian
from tasks.rl.losses import policy_gradient_loss
from zoo.errors import InputError


@dataclass(frozen=True)
class Explored:
    """K policies [K, P], how much better each did than the others [K], and the distribution they came from."""

    parameters_KP: Tensor
    advantages_K: Tensor
    explored: DiagonalGaussian


@dataclass(frozen=True)
class PGPE:
    """Symmetric samples mean +- noise, the mean return of the other pairs as baseline.

    Args:
        normalise: advantages to standard deviation 1 over the policies of a generation.
    """

    normalise: bool = True

    def policies(self, net: nn.Module, count: int) -> Tensor:
        """Parameters [K, P] of `count` policies in mirrored pairs.

        Raises:
            InputError: an odd number.
        """
        if count % 2 or count < 4:
            raise InputError(
                "model.environment.count: expected an even number from 4 on, since policies come in pairs, "
                f"got {count}; change it"
            )
        mean_P, noise_KP = net.mean_P.detach(), torch.randn(count // 2, len(net.mean_P))
        step_KP = noise_KP * net.log_std_P.detach().exp()
        return torch.cat([mean_P + step_KP, mean_P - step_KP])

    def samples(self, net: nn.Module, parameters_KP: Tensor, returns_K: Tensor) -> Explored:
        """What the policies' returns teach."""
        advantages_K = paired_advantages(returns_K)
        if self.normalise:
            advantages_K = advantages_K / (advantages_K.std() + 1e-8)
        return Explored(parameters_KP, advantages_K.to(parameters_KP.dtype), net.explored().detach())

    def loss(self, net: nn.Module, samples: Explored) -> dict[str, Tensor]:
        """-mean(log N(parameters) A). Over mirrored pairs its gradient is Sehnke's: (r+ - r-) noise / (2 std^2) for
        the mean, ((r+ + r-) / 2 - b) (noise^2 - std^2) / std^3 for std."""
        log_probs_K = net.explored().log_prob(samples.parameters_KP)
        return {"policy": policy_gradient_loss(log_probs_K, samples.advantages_K)}

    def divergence(self, net: nn.Module, samples: Explored) -> Tensor:
        """KL from the distribution that was explored; its Fisher information is diagonal, 1 / std^2 and 2."""
        return net.explored().kl_from(samples.explored).mean()


def paired_advantages(returns_K: Tensor) -> Tensor:
    """r - b, b the mean return of all other pairs, which keeps the estimate free of bias.

    >>> paired_advantages(torch.tensor([1.0, 2.0, 3.0, 6.0]))
    tensor([-3.,  0., -1.,  4.])
    """
    pairs = len(returns_K) // 2
    pair_K = (returns_K[:pairs] + returns_K[pairs:]).repeat(2)
    return returns_K - (returns_K.sum() - pair_K) / (2 * (pairs - 1))
