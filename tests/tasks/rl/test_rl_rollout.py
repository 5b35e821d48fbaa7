"""What a rollout says, step by step, and that the policy which collected it is the one that is updated."""

from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from tasks.rl.algorithms import A2C, PPO, Reinforce
from tasks.rl.data import Rollouts
from tasks.rl.environments.environment import Environment
from tasks.rl.networks import ActorCritic
from tasks.rl.returns import advantages, discounted_returns, explained_variance
from tasks.rl.rollout import Collector, Rollout
from tasks.rl.samples import samples_of
from tasks.rl.task import PolicyGradient


class Count(gymnasium.Env):
    """Observation: 10 x the episode's number + steps taken in it; reward: what the observation was; ends after
    `length` steps, by termination where `terminates`, else by a time limit."""

    observation_space = spaces.Box(-1, 1e6, (1,))
    action_space = spaces.Discrete(2)

    def __init__(self, length=3, terminates=True):
        self.length, self.terminates, self.episode = length, terminates, -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.taken = self.episode + 1, 0
        return self._seen(), {}

    def _seen(self):
        return np.array([10 * self.episode + self.taken], dtype=np.float32)

    def step(self, action):
        reward = float(self._seen()[0])
        self.taken += 1
        over = self.taken == self.length
        return self._seen(), reward, over and self.terminates, over and not self.terminates, {}


@pytest.fixture(autouse=True)
def registered():
    """Count-v0 for the time of a test."""
    gymnasium.register("Count-v0", entry_point=Count, disable_env_checker=True)
    yield
    del gymnasium.registry["Count-v0"]


def collector_of(environment, discount=0.5):
    return Collector(environment.vector(), environment.spaces, discount, 0, environment.id)


@pytest.mark.parametrize("terminates", [True, False])
def test_a_rollout_by_hand(terminates):
    one = collector_of(Environment("Count-v0", count=1, options={"terminates": terminates}))
    one.observations -= one.observations.item()  # however often it was reset before
    first = one.environments.unwrapped.envs[0].unwrapped
    first.episode = 0
    rollout, episodes = one.collect(lambda obs_B: torch.zeros(1, dtype=torch.long), 6)
    end = 0.0 if terminates else 0.5
    #                                     0   1   2  end  0'   1'  2'
    assert rollout.obs_TB[:, 0, 0].tolist() == [0, 1, 2, 3, 10, 11, 12]
    assert rollout.rewards_TB[:, 0].tolist() == [0, 1, 2, 0, 10, 11]
    assert rollout.discount_TB[:, 0].tolist() == [0.5, 0.5, end, 0.5, 0.5, 0.5]
    assert rollout.continues_TB[:, 0].tolist() == [1, 1, 0, 1, 1, 1]
    assert rollout.valid_TB[:, 0].tolist() == [True, True, True, False, True, True]
    assert (episodes.returns, episodes.lengths) == ([3.0], [3])
    assert one.steps == 5
    rollout, episodes = one.collect(lambda obs_B: torch.zeros(1, dtype=torch.long), 3)  # goes on where that ended
    assert rollout.obs_TB[:, 0, 0].tolist() == [12, 13, 20, 21]
    assert rollout.rewards_TB[:, 0].tolist() == [12, 0, 20]
    assert rollout.valid_TB[:, 0].tolist() == [True, False, True]
    assert (episodes.returns, episodes.lengths) == ([33.0], [3])


class Table(torch.nn.Module):
    """V(s) = s / 10 and a coin for a policy."""

    def policy_and_value(self, obs_ND):
        from tasks.rl.distributions import Categorical

        return Categorical(torch.zeros(len(obs_ND), 2)), obs_ND[:, 0] / 10


@pytest.mark.parametrize("terminates", [True, False])
@pytest.mark.parametrize("gae_lambda", [0.0, 0.7, 1.0])
def test_advantages_of_a_rollout_by_hand(terminates, gae_lambda):
    one = collector_of(Environment("Count-v0", count=1, options={"terminates": terminates}))
    one.observations -= one.observations.item()
    one.environments.unwrapped.envs[0].unwrapped.episode = 0
    rollout, _ = one.collect(lambda obs_B: torch.zeros(1, dtype=torch.long), 6)
    found = samples_of(Table(), rollout, gae_lambda, normalise=False)
    # V: 0, .1, .2 | .3 at the end | 1, 1.1, 1.2; gamma = 0.5
    last = 2 + (0.0 if terminates else 0.5 * 0.3) - 0.2
    deltas = [0 + 0.05 - 0, 1 + 0.1 - 0.1, last, 10 + 0.55 - 1, 11 + 0.6 - 1.1]
    decay = 0.5 * gae_lambda
    expected = [
        deltas[0] + decay * (deltas[1] + decay * deltas[2]),
        deltas[1] + decay * deltas[2],
        deltas[2],
        deltas[3] + decay * deltas[4],
        deltas[4],
    ]
    assert found.advantages_N.tolist() == pytest.approx(expected, rel=1e-6)
    assert found.obs_N[:, 0].tolist() == [0, 1, 2, 10, 11]
    assert found.targets_N.tolist() == pytest.approx(
        [a + v for a, v in zip(expected, [0, 0.1, 0.2, 1, 1.1], strict=True)]
    )


def slow_advantage(rewards, discount, continues, values, gae_lambda, t):
    """The definition, as a sum over the steps that follow."""
    total, weight = 0.0, 1.0
    for k in range(t, len(rewards)):
        total += weight * (rewards[k] + discount[k] * values[k + 1] - values[k])
        weight *= gae_lambda * discount[k] * continues[k]
    return total


def made_up(steps=12, count=5):
    generator = torch.Generator().manual_seed(3)
    rewards_TB, values_TB = (torch.randn(n, count, generator=generator).double() for n in (steps, steps + 1))
    terminated_TB, truncated_TB = (torch.rand(steps, count, generator=generator) < 0.2 for _ in range(2))
    return rewards_TB, 0.9 * (~terminated_TB).double(), (~(terminated_TB | truncated_TB)).double(), values_TB


@pytest.mark.parametrize("gae_lambda", [0.0, 0.5, 0.95, 1.0])
def test_advantages_against_their_definition(gae_lambda):
    rewards_TB, discount_TB, continues_TB, values_TB = made_up()
    found_TB = advantages(rewards_TB, discount_TB, continues_TB, values_TB, gae_lambda)
    for b in range(5):
        columns = [x[:, b].tolist() for x in (rewards_TB, discount_TB, continues_TB, values_TB)]
        expected = [slow_advantage(*columns, gae_lambda, t) for t in range(12)]
        assert found_TB[:, b].tolist() == pytest.approx(expected, rel=1e-12)


def test_advantages_at_lambda_one_are_returns_minus_values():
    rewards_TB, discount_TB, continues_TB, values_TB = made_up()
    returns_TB = discounted_returns(rewards_TB, discount_TB, continues_TB, values_TB)
    advantages_TB = advantages(rewards_TB, discount_TB, continues_TB, values_TB, 1.0)
    assert torch.allclose(returns_TB - values_TB[:-1], advantages_TB, rtol=1e-12)


def test_advantages_of_a_constant_value_function_by_hand():
    # r = 1, gamma = 0.9, V = 1: delta = 0.9 until the end, where V is no more: 0.
    one = torch.ones(3, 1)
    found = advantages(
        one, torch.tensor([[0.9], [0.9], [0.0]]), torch.tensor([[1.0], [1.0], [0.0]]), torch.ones(4, 1), 0.5
    )
    assert found[:, 0].tolist() == pytest.approx([0.9 + 0.45 * 0.9, 0.9, 0.0])


def test_explained_variance_of_known_values():
    targets_N = torch.tensor([0.0, 1.0, 2.0, 3.0])
    assert explained_variance(torch.zeros(4), targets_N) == 0
    assert explained_variance(targets_N + 5, targets_N) == 1  # an offset is no variance
    assert explained_variance(-targets_N, targets_N) == -3


@pytest.mark.parametrize("algorithm", [PPO(), A2C(), Reinforce()], ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1"])
def test_the_policy_that_collects_is_the_policy_that_is_updated(quick, algorithm, name):
    lags = []

    class Watching(PolicyGradient):
        def sampled_actions(self, obs_B):
            policy = self.net.policy(obs_B)
            actions_B = policy.sample()
            self.said.append(policy.log_prob(actions_B))
            return actions_B

        def training_step(self, batch, batch_idx):
            self.said, self.first = [], True
            super().training_step(batch, batch_idx)

        def loss(self, net, samples):
            if self.first:  # of this rollout
                self.first = False
                now_N = net.policy(samples.obs_N).log_prob(samples.actions_N)
                said = torch.stack(self.said).flatten()
                gaps = (now_N.detach()[:, None] - said).abs().min(1).values  # minibatches are shuffled
                lags.append((gaps.max().item(), (now_N - samples.log_probs_N).abs().max().item()))
            return super().loss(net, samples)

    net = partial(ActorCritic, hidden_sizes=[16], normalise_observations=True)
    task = Watching(
        Environment(name, count=4), net, algorithm, partial(torch.optim.Adam, lr=0.03), 32, evaluation_episodes=1
    )
    quick(max_epochs=2).fit(task, datamodule=Rollouts(3))
    assert len(lags) == 6
    assert max(max(lag) for lag in lags) < 1e-5, lags


class Endless(gymnasium.Env):
    """One state, reward 1 for ever."""

    observation_space, action_space = spaces.Box(0, 1, (1,)), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.ones(1, np.float32), {}

    def step(self, action):
        return np.ones(1, np.float32), 1.0, False, False, {}


def value_after_training(quick, algorithm):
    gymnasium.register("Endless-v0", entry_point=Endless, max_episode_steps=6, disable_env_checker=True)
    try:
        task = PolicyGradient(
            Environment("Endless-v0", count=8),
            partial(ActorCritic, hidden_sizes=[]),
            algorithm,
            partial(torch.optim.SGD, lr=0.3),
            16,
            discount=0.8,
            evaluation_episodes=1,
        )
        quick(max_epochs=1).fit(task, datamodule=Rollouts(120))
        return task.net.value(torch.ones(1, 1)).item()
    finally:
        del gymnasium.registry["Endless-v0"]


@pytest.mark.parametrize(
    "algorithm", [PPO(epochs=1, minibatches=1), A2C(gae_lambda=0.9), Reinforce()], ids=lambda one: type(one).__name__
)
def test_the_value_of_an_endless_task_with_a_time_limit_is_one_over_one_minus_gamma(quick, algorithm):
    assert value_after_training(quick, algorithm) == pytest.approx(1 / (1 - 0.8), rel=1e-3)


def test_truncation_treated_as_termination_would_be_noticed(quick, monkeypatch):
    def wrongly(self, act, steps, collect=Collector.collect):
        rollout, episodes = collect(self, act, steps)
        return Rollout(**{**vars(rollout), "discount_TB": rollout.discount_TB * rollout.continues_TB}), episodes

    monkeypatch.setattr(Collector, "collect", wrongly)
    assert value_after_training(quick, A2C(gae_lambda=0.9)) < 4
