"""Policy gradients of nets that remember: backpropagation through the steps of a rollout.

Legend: T = steps, B = environments, N = valid steps, H = hidden units.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tasks.rl.algorithms.a2c import A2C
from tasks.rl.algorithms.ppo import PPO
from tasks.rl.networks.recurrent import Sequences
from tasks.rl.returns import advantages
from tasks.rl.rollout import Rollout
from tasks.rl.samples import Samples, normalised
from zoo.errors import InputError


@dataclass(frozen=True)
class Recurrent:
    """PPO or A2C over whole sequences: a minibatch is all steps of some environments, from the memory that the net
    had when the rollout began (Hausknecht & Stone 2015 call it stored state); gradients end there.

    Args:
        algorithm: gives the loss, the passes and the number of minibatches.
    """

    algorithm: PPO | A2C

    def samples(self, net: nn.Module, rollout: Rollout) -> Samples:
        """Valid steps, their observations in sequence."""
        if rollout.memory_2BH is None:
            raise InputError(
                "model.algorithm: expected a net that remembers with Recurrent, got "
                f"{type(net).__name__}; take tasks.rl.networks.RecurrentActorCritic, or the algorithm by itself"
            )
        count, parts = rollout.rewards_TB.shape[1], getattr(self.algorithm, "minibatches", 1)
        if count < parts:
            raise InputError(
                f"model.algorithm: expected no more minibatches than environments, got {parts} and {count}; "
                "a minibatch is whole sequences: lower minibatches or raise model.environment.count"
            )
        return recurrent_samples(net, rollout, self.algorithm.gae_lambda, self._normalise)

    @property
    def _normalise(self) -> bool:
        return self.algorithm.normalise_advantages if isinstance(self.algorithm, A2C) else True

    def minibatches_of(self, samples: Samples) -> Iterator[Samples]:
        """Environments in a random order for PPO; all of them for A2C."""
        if isinstance(self.algorithm, A2C):
            yield samples
            return
        count = samples.obs_N.obs_TBD.shape[1]
        for _ in range(self.algorithm.epochs):
            yield from (
                of_environments(samples, part) for part in torch.randperm(count).chunk(self.algorithm.minibatches)
            )

    def loss(self, net: nn.Module, samples: Samples) -> dict[str, Tensor]:
        """The algorithm's own."""
        return self.algorithm.loss(net, samples)


@torch.no_grad()
def recurrent_samples(net: nn.Module, rollout: Rollout, gae_lambda: float, normalise: bool) -> Samples:
    """As `samples_of`, with `Sequences` in the place of observations."""
    # The last observation has no action: it is there for its value, and memory after it is of no use.
    valid_TB = torch.cat([rollout.valid_TB, torch.ones_like(rollout.valid_TB[:1])])
    values_TB = net.values(Sequences(rollout.obs_TB, valid_TB, rollout.memory_2BH))
    gained_TB = advantages(rollout.rewards_TB, rollout.discount_TB, rollout.continues_TB, values_TB, gae_lambda)
    sequences = Sequences(rollout.obs_TB[:-1], rollout.valid_TB, rollout.memory_2BH)
    policy, valid_TB = net.policy(sequences), rollout.valid_TB
    advantages_N, before_N = gained_TB[valid_TB], values_TB[:-1][valid_TB]
    actions_N, targets_N = rollout.actions_TB[valid_TB], advantages_N + before_N
    if normalise:
        advantages_N = normalised(advantages_N)
    return Samples(sequences, actions_N, advantages_N, targets_N, policy.log_prob(actions_N), before_N, policy)


def of_environments(samples: Samples, chosen: Tensor) -> Samples:
    """Whole sequences of the chosen environments, and the samples that belong to them, in the order of the net's."""
    whole = samples.obs_N
    part = Sequences(whole.obs_TBD[:, chosen], whole.valid_TB[:, chosen], whole.memory_2BH[:, chosen])
    number_TB = torch.full(whole.valid_TB.shape, -1)
    number_TB[whole.valid_TB] = torch.arange(len(samples))
    taken_N = number_TB[:, chosen][part.valid_TB]
    flat = {name: value[taken_N] for name, value in vars(samples).items() if name != "obs_N"}
    return replace(samples, obs_N=part, **flat)
