"""What a policy gradient learns from: the valid steps of a rollout with their advantages."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from tasks.rl.distributions import Categorical, DiagonalGaussian, MultiCategorical
from tasks.rl.returns import advantages
from tasks.rl.rollout import Rollout
from zoo.errors import InputError


@dataclass(frozen=True)
class Samples:
    """N valid steps.

    Attributes:
        obs_N: observations; `Sequences` of them for a net that remembers.
        actions_N: what was done there.
        advantages_N: how much better than V that was.
        targets_N: what V should have said.
        log_probs_N: log pi of the actions by the policy that collected them.
        values_N: V by the critic as it was then.
        policy: that policy's distributions.
    """

    obs_N: Tensor
    actions_N: Tensor
    advantages_N: Tensor
    targets_N: Tensor
    log_probs_N: Tensor
    values_N: Tensor
    policy: Categorical | MultiCategorical | DiagonalGaussian

    def __len__(self) -> int:
        return len(self.advantages_N)

    def take(self, chosen: Tensor) -> "Samples":
        """The chosen ones."""
        return Samples(*(getattr(self, field.name)[chosen] for field in fields(self)))


@torch.no_grad()
def samples_of(net: nn.Module, rollout: Rollout, gae_lambda: float, normalise: bool = True) -> Samples:
    """Valid steps of a rollout by one pass of the net; advantages with mean 0 and standard deviation 1 if asked.

    Args:
        net: `policy_and_value(obs)`.
        rollout: what was collected by this very net.
        gae_lambda: 1 gives Monte Carlo returns minus V, 0 the one-step error.
        normalise: the advantages over the rollout.
    """
    steps, count = rollout.rewards_TB.shape
    policy, values_N = net.policy_and_value(rollout.obs_TB.flatten(0, 1))
    values_TB = values_N.view(steps + 1, count)
    gained_TB = advantages(rollout.rewards_TB, rollout.discount_TB, rollout.continues_TB, values_TB, gae_lambda)
    chosen_N = rollout.valid_TB.flatten().nonzero()[:, 0]
    actions_N, policy = rollout.actions_TB.flatten(0, 1)[chosen_N], policy[chosen_N].detach()
    advantages_N, before_N = gained_TB.flatten()[chosen_N], values_N[chosen_N]
    targets_N = advantages_N + before_N
    if normalise:
        advantages_N = normalised(advantages_N)
    obs_N = rollout.obs_TB.flatten(0, 1)[chosen_N]
    return Samples(obs_N, actions_N, advantages_N, targets_N, policy.log_prob(actions_N), before_N, policy)


def refuse_trace(gae_lambda: float) -> None:
    """A trace that does not decay, when an algorithm is made.

    Raises:
        InputError: gae_lambda is outside [0, 1].
    """
    if not 0 <= gae_lambda <= 1:
        raise InputError(f"model.algorithm.gae_lambda: expected a number in [0, 1], got {gae_lambda}; mend the recipe")


def normalised(advantages_N: Tensor) -> Tensor:
    """With mean 0 and standard deviation 1."""
    return (advantages_N - advantages_N.mean()) / (advantages_N.std() + 1e-8)


def shuffled_minibatches(samples: Samples, epochs: int, minibatches: int) -> Iterator[Samples]:
    """Every sample once an epoch, in `minibatches` parts of a random order."""
    for _ in range(epochs):
        yield from (samples.take(part) for part in torch.randperm(len(samples)).chunk(minibatches))
