"""V = 1 / (1 - gamma) on an endless environment with time limits, through the collector and every estimator of targets."""

from dataclasses import replace

import pytest
import torch

from tasks.rl.environments.environment import Environment
from tasks.rl.networks import ActorCritic
from tasks.rl.returns import discounted_returns
from tasks.rl.rollout import Collector
from tasks.rl.samples import samples_of

GAMMA, LIMIT = 0.9, 7


class Constant(ActorCritic):
    """A critic that is one number."""

    def __init__(self, spaces):
        super().__init__(spaces, hidden_sizes=[])
        torch.nn.init.zeros_(self.critic[0].weight)


def collected(steps=40):
    environment = Environment("tests.tasks.rl.endless:Endless-v0", count=3, time_limit=LIMIT)
    collector = Collector(environment.vector(), environment.spaces, GAMMA, 0, "endless")
    net = Constant(environment.spaces)
    rollout, episodes = collector.collect(lambda obs: net.policy(obs).sample(), steps)
    assert set(episodes.lengths) == {LIMIT}
    return net, rollout


def as_terminated(rollout):
    """The mistake: an episode that ran out of time counts as one that ended."""
    return replace(rollout, discount_TB=rollout.discount_TB * rollout.continues_TB)


def fixed_point(net, rollout, gae_lambda, sweeps=200):
    """V after it was set to the mean of its targets again and again."""
    for _ in range(sweeps):
        net.critic[0].bias.data.fill_(samples_of(net, rollout, gae_lambda).targets_N.mean())
    return float(net.critic[0].bias.detach())


@pytest.mark.parametrize("gae_lambda", [0.0, 0.5, 0.95, 1.0])
def test_a_time_limit_does_not_change_the_value(gae_lambda):
    net, rollout = collected()
    assert fixed_point(net, rollout, gae_lambda) == pytest.approx(1 / (1 - GAMMA), rel=1e-4)
    targets = samples_of(net, rollout, gae_lambda, normalise=False)
    torch.testing.assert_close(targets.targets_N, torch.full_like(targets.targets_N, 10.0), rtol=1e-4, atol=0)
    torch.testing.assert_close(targets.advantages_N, torch.zeros_like(targets.advantages_N), rtol=0, atol=1e-3)


@pytest.mark.parametrize("gae_lambda", [0.0, 0.5, 0.95, 1.0])
def test_truncation_taken_for_termination_does(gae_lambda):
    net, rollout = collected()
    assert fixed_point(net, as_terminated(rollout), gae_lambda) < 6


def test_returns_bootstrap_where_time_runs_out():
    """(1 - gamma^k) / (1 - gamma) + gamma^k V, k the steps left: V everywhere; without V the mistake's sum."""
    _, rollout = collected()
    values_TB = torch.full((41, 3), 10.0)
    parts = (rollout.rewards_TB, rollout.discount_TB, rollout.continues_TB, values_TB)
    valid = rollout.valid_TB
    torch.testing.assert_close(discounted_returns(*parts)[valid], values_TB[:-1][valid])
    wrong = as_terminated(rollout)
    first_B = discounted_returns(rollout.rewards_TB, wrong.discount_TB, rollout.continues_TB, values_TB)[0]
    torch.testing.assert_close(first_B, torch.full((3,), (1 - GAMMA**LIMIT) / (1 - GAMMA)))
