"""What an agent's actions and values rest on, held against policies whose derivatives are known; how its gradient is
judged, held against brute force."""

import math
from functools import partial
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from tasks.rl.agent import Agent, agent_of_policy, agent_that_remembers
from tasks.rl.algorithms import A2C, PPO
from tasks.rl.algorithms.dqn import agent_of_values
from tasks.rl.distributions import Categorical, DiagonalGaussian
from tasks.rl.environments.environment import Environment
from tasks.rl.explain import agent_sections, calibration_section, explanation_sections, seen_of
from tasks.rl.gradient_quality import environments_of, policy_gradient_noise, refuse_few_environments, term_gradient
from tasks.rl.networks import ActorCritic
from tasks.rl.networks.recurrent import RecurrentActorCritic
from tasks.rl.on_policy import PolicyGradient
from tasks.rl.pages.calibration import calibration, obtained_returns
from tasks.rl.pages.film import filmed
from tasks.rl.pages.large_batch import large_batch_section, many_rollouts
from tasks.rl.pages.sensitivity import action_slopes, per_deviation, shares, value_slopes
from tasks.rl.pages.training_sections import batch_verdict, gradient_quality_section, returns_section, training_sections
from tasks.rl.pages.value_map import chosen_pair, value_grid
from tasks.rl.readings import episode_readings, policy_readings
from tasks.rl.rollout import Episodes, Rollout
from tasks.rl.samples import samples_of
from tasks.rl.stopping import Solved
from zoo.errors import InputError
from zoo.probes.batch_gradients import GradientNoise, cosine_to_others
from zoo.training.record import Record

WEIGHTS_DA = torch.tensor([[1.0, 0.5], [-2.0, 0.0], [0.0, 3.0]])


class Linear(nn.Module):
    """Means or logits obs @ W, V = obs @ v."""

    def __init__(self, gaussian: bool):
        super().__init__()
        self.gaussian = gaussian

    def policy(self, obs):
        numbers = obs @ WEIGHTS_DA
        return DiagonalGaussian(numbers, torch.zeros(2)) if self.gaussian else Categorical(numbers)

    def value(self, obs):
        return obs @ torch.tensor([1.0, 0.0, -4.0])


OBS_TD = torch.tensor([[0.3, -0.1, 0.2], [1.0, 0.5, -0.7], [0.0, 2.0, 0.1], [-1.0, 0.4, 0.9]])

# Sensitivity


def test_slopes_of_a_linear_gaussian_policy_are_its_weights():
    agent = agent_of_policy(Linear(gaussian=True), continuous_size=2)
    slopes_TKD = action_slopes(agent.scores, OBS_TD, agent.act(OBS_TD))
    assert agent.score_names == ("action 0", "action 1")
    assert torch.allclose(slopes_TKD, WEIGHTS_DA.t().expand(4, 2, 3))


def test_slopes_of_a_softmax_policy_are_those_of_the_formula():
    """d log pi(a) / d obs = W[:, a] - sum_b pi(b) W[:, b]."""
    agent = agent_of_policy(Linear(gaussian=False))
    actions_T = agent.act(OBS_TD)
    probs_TA = (OBS_TD @ WEIGHTS_DA).softmax(1)
    expected_TD = WEIGHTS_DA.t()[actions_T] - probs_TA @ WEIGHTS_DA.t()
    assert torch.allclose(action_slopes(agent.scores, OBS_TD, actions_T)[:, 0], expected_TD, atol=1e-6)


def test_slopes_of_values_are_those_that_choose():
    """Q = obs @ W: what all actions share does not choose between them."""
    agent = agent_of_values(lambda obs: obs @ WEIGHTS_DA + 7 * obs[:, 1:2])
    actions_T = agent.act(OBS_TD)
    slopes_TKD = action_slopes(agent.scores, OBS_TD, actions_T)
    assert torch.allclose(slopes_TKD[:, 0], WEIGHTS_DA.t()[actions_T] - WEIGHTS_DA.mean(1))


def test_slopes_of_the_value_are_its_weights():
    slopes_TD = value_slopes(Linear(True).value, OBS_TD)
    assert slopes_TD.tolist() == [[1.0, 0.0, -4.0]] * 4


def test_frames_in_bytes_have_slopes():
    frames = torch.randint(0, 255, (2, 4, 3, 3), dtype=torch.uint8)
    assert torch.allclose(value_slopes(lambda x: x.flatten(1).sum(1) / 255, frames), torch.full((2, 4, 3, 3), 1 / 255))


def test_units_do_not_matter():
    """An observation in other units, its weight changed accordingly, moves as much."""
    visited = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    units = torch.tensor([1.0, 100.0, 0.01])
    slopes = torch.tensor([[1.0, 2.0, 1.0]])
    assert torch.allclose(per_deviation(slopes / units, visited * units), per_deviation(slopes, visited), rtol=1e-4)


def test_shares_are_shares_of_the_mean_absolute_move():
    assert shares(torch.tensor([[1.0, -3.0], [-1.0, 3.0]])).tolist() == [0.25, 0.75]


def test_a_net_that_remembers_acts_as_it_is_explained():
    """Scores and values of a whole episode are those of its steps one by one, whatever was played before."""
    torch.manual_seed(0)
    environment = Environment("Slope-v0")
    net = RecurrentActorCritic(environment.spaces, hidden_size=8)
    nn.init.normal_(net.actor[-1].weight)
    agent = agent_that_remembers(net, continuous_size=2)
    first, again = (seen_of(agent, environment, 1).film.episode for _ in range(2))
    assert torch.equal(first.actions_T, again.actions_T)
    assert torch.allclose(agent.scores(first.obs_T[:-1], first.actions_T), first.actions_T, atol=1e-6)
    memory, values = net.empty_memory(1), []
    for obs in first.obs_T:
        hidden, cell = net.memory(net._lifted(obs[None]), tuple(memory))
        memory = torch.stack([hidden, cell])
        values.append(net.critic(hidden)[0, 0])
    assert torch.allclose(agent.value(first.obs_T), torch.stack(values), atol=1e-6)
    titles = [section.title for section in explanation_sections(agent, environment, 0.9, count=2)]
    assert titles == ["What moves the action", "What moves the value", "Value against return"]
    with pytest.raises(InputError, match="--rollouts: expected a net without memory"):
        large_batch_section(SimpleNamespace(net=net), 8, seed=0)


# Value


def test_obtained_returns_against_the_sum():
    rewards = np.array([1.0, -2.0, 0.5, 3.0])
    returns, known = obtained_returns(rewards, 0.9, terminated=True)
    by_hand = [sum(0.9**i * rewards[t + i] for i in range(4 - t)) for t in range(4)]
    assert returns == pytest.approx(by_hand)
    assert known.all()


def test_returns_behind_a_time_limit_are_not_known():
    """0.5^n <= 0.05 from n = 5 on: the last four of twelve steps are not known, nor is any without discount."""
    returns, known = obtained_returns(np.ones(12), 0.5, terminated=False)
    assert known.tolist() == [True] * 8 + [False] * 4
    assert np.abs(returns[known] - 2.0).max() <= 2.0 * 0.05
    assert not obtained_returns(np.ones(12), 1.0, terminated=False)[1].any()
    assert obtained_returns(np.ones(12), 0.5, terminated=False, beyond=2.0)[0] == pytest.approx(np.full(12, 2.0))


def test_calibration_of_a_value_that_is_one_too_high():
    values = np.random.default_rng(0).normal(size=600)
    found = calibration(values, values - 1, bins=6)
    assert found["return"] == pytest.approx(found["value"] - 1)
    assert len(found["value"]) == 6 and (np.diff(found["value"]) > 0).all()
    assert ((found["low"] < found["return"]) & (found["return"] < found["high"])).all()


def test_value_grid_holds_the_others_at_their_medians():
    visited = torch.cat([torch.rand(99, 2), torch.linspace(0, 1, 99)[:, None]], 1)
    grid, down, across = value_grid(lambda obs: 100 * obs[:, 2] + obs[:, 0] - obs[:, 1], visited, 0, 1)
    assert grid == pytest.approx(50 + down[:, None] - across[None], abs=1e-4)
    assert down[0] > down[-1] and across[0] < across[-1]


def test_pair_of_observations():
    assert chosen_pair("pole angle, o0", ["cart", "pole angle"]) == (1, 0)
    for bad in ("cart", "cart,cart", "cart,o2"):
        with pytest.raises(InputError, match="--choose: expected two of cart, pole angle"):
            chosen_pair(bad, ["cart", "pole angle"])


# Pages


class Slope(gymnasium.Env):
    """The observation moves by the action for six steps; the reward is its first number."""

    metadata = {"render_modes": [], "render_fps": 10}
    observation_space, action_space = spaces.Box(-9, 9, (3,)), spaces.Box(-1, 1, (2,))

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.obs, self.taken = self.np_random.normal(size=3).astype(np.float32), 0
        return self.obs, {}

    def step(self, action):
        self.taken += 1
        self.obs = self.obs + 0.1 * np.float32([*action, 1])
        return self.obs, float(self.obs[0]), self.taken == 6, False, {}


@pytest.fixture(autouse=True)
def registered():
    gymnasium.register("Slope-v0", Slope)
    yield
    del gymnasium.registry["Slope-v0"]


def test_page_names_the_most_sensitive_observation_and_says_why_there_is_no_film():
    environment = Environment("Slope-v0")
    agent = agent_of_policy(Linear(gaussian=True), continuous_size=2)
    sections = {section.title: section for section in explanation_sections(agent, environment, 0.9, count=2)}
    assert list(sections) == ["What moves the action", "What moves the value", "Value against return", "Value map"]
    share = sections["What moves the value"].figures[1].table.rows
    seen = seen_of(agent, environment, 2)
    expected = shares(per_deviation(torch.tensor([[1.0, 0.0, -4.0]]), seen.visited))
    assert {name: value for name, value, *_ in share} == pytest.approx(
        {f"o{d}": float(expected[d]) for d in range(3)}, rel=1e-5
    )
    assert sections["What moves the value"].lead.startswith("Most sensitive to o2")
    film = agent_sections(agent, environment)[0].figures[0]
    assert "render mode rgb_array, got Slope-v0 with none" in film.caption


def test_explaining_moves_no_random_state_and_plays_the_same_again():
    agent = agent_of_policy(Linear(gaussian=True), continuous_size=2)
    before = torch.get_rng_state()
    first, second = (seen_of(agent, Environment("Slope-v0"), 2).visited for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, second)


def test_an_agent_without_a_value_has_a_page():
    whole = agent_of_policy(Linear(gaussian=True), continuous_size=2)
    agent = Agent(whole.act, whole.scores, whole.score_names)
    titles = [section.title for section in explanation_sections(agent, Environment("Slope-v0"), 1.0, count=1)]
    assert titles == ["What moves the action"]


def test_film_is_of_the_episode(monkeypatch):
    monkeypatch.setattr(Slope, "metadata", {"render_modes": ["rgb_array"], "render_fps": 10})
    monkeypatch.setattr(Slope, "render", lambda self: np.full((4, 4, 3), 40 * self.taken, np.uint8))
    agent = agent_of_policy(Linear(gaussian=True), continuous_size=2)
    film = filmed(Environment("Slope-v0"), agent, 0, frames=4)
    assert film.steps == [0, 2, 4, 6]
    assert [int(frame[0, 0, 0]) for frame in film.frames] == [0, 80, 160, 240]
    assert film.speed == pytest.approx(15 * 2 / 10)  # every second frame, at 15 a second instead of 10


# The gradient's quality


def task_of(algorithm, count=16, steps=16):
    torch.manual_seed(0)
    environment = Environment("CartPole-v1", count)

    def make(spaces):
        return ActorCritic(spaces, hidden_sizes=[16])

    return PolicyGradient(environment, make, algorithm, torch.optim.Adam, rollout_steps=steps, discount=0.98)


def test_samples_know_their_environments():
    valid = torch.tensor([[True, True, False], [True, False, True]])
    zeros = torch.zeros(2, 3)
    rollout = Rollout(torch.zeros(3, 3, 1), zeros, zeros, zeros, zeros, valid)
    assert environments_of(rollout).tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize("algorithm", [PPO(), A2C()], ids=["ppo", "a2c"])
def test_signal_and_noise_add_up_to_the_rollouts_gradient(algorithm):
    """|g|^2 of the whole rollout is signal + noise exactly, though environments have unlike numbers of samples."""
    task = task_of(algorithm)
    task.make_collector()
    rollout, _ = task.collector.collect(task.sampled_actions, 32)
    assert not rollout.valid_TB.all()
    samples = algorithm.samples(task.net, rollout)
    before = [parameter.grad for parameter in task.net.parameters()]
    found = policy_gradient_noise(task.net, task.loss, rollout, samples)
    whole = term_gradient(task.net, task.loss, samples)
    assert float(found.signal + found.noise) == pytest.approx(float(whole.square().sum()), rel=1e-3)
    assert [parameter.grad for parameter in task.net.parameters()] == before == [None] * len(before)


def test_term_gradient_is_of_the_policy_alone():
    task = task_of(A2C())
    task.make_collector()
    rollout, _ = task.collector.collect(task.sampled_actions, 8)
    samples = samples_of(task.net, rollout, 1.0, False)
    loss = -(task.net.policy(samples.obs_N).log_prob(samples.actions_N) * samples.advantages_N).mean()
    expected = torch.autograd.grad(loss, list(task.net.actor.parameters()))
    found = term_gradient(task.net, task.loss, samples)
    size = sum(part.numel() for part in expected)
    assert torch.allclose(found[:size], torch.cat([part.flatten() for part in expected]), atol=1e-7)
    assert not found[size:].any()  # the critic's parameters


def test_a_rollout_knows_its_noise():
    """Estimated from within single rollouts, measured between 48 of them: a policy of short episodes, out of step."""
    section = large_batch_section(task_of(A2C()), 48, seed=0)
    assert section.data["within"] == pytest.approx(section.data["between"], rel=0.5)
    assert abs(math.sqrt(section.data["within"] / (1 + section.data["within"])) - section.data["cosine"]) < 0.15


def test_large_batch_is_the_brute_force():
    found = many_rollouts(task_of(A2C()), 6, seed=1)
    section = large_batch_section(task_of(A2C()), 6, seed=1)
    assert section.data["cosine"] == pytest.approx(float(cosine_to_others(found.gradients_MP).mean()), rel=1e-5)
    with pytest.raises(InputError, match="--rollouts: expected 4 or more"):
        large_batch_section(task_of(A2C()), 3, seed=1)


def test_few_environments_are_refused():
    with pytest.raises(InputError, match="fewer than 4 environments, got 2"):
        refuse_few_environments(2)
    assert task_of(A2C(), count=2).gradient_quality_every == 0
    assert task_of(A2C(), count=4).gradient_quality_every == 10


@pytest.mark.parametrize(
    "ratio, word",
    [(0.0, "No signal"), (0.2, "Enlarge the batch"), (1.0, "large enough"), (50.0, "larger than it must be")],
)
def test_verdict(ratio, word):
    assert word in batch_verdict(GradientNoise(torch.tensor(ratio), torch.tensor(1.0)), 5)


def test_no_verdict_from_few_readings():
    said = batch_verdict(GradientNoise(torch.tensor(0.2), torch.tensor(1.0)), 4)
    assert said.startswith("Too few readings to tell") and "4 in the last third" in said and "Enlarge" not in said


# The report's curves


def small_record(steps: int = 9) -> Record:
    record = Record()
    for step in range(steps):
        rows = {
            "environment_steps": 100.0 * (step + 1),
            "return": step,
            "return_low": step - 1,
            "return_high": step + 2,
        }
        rows |= {"length": 7, "entropy": 0.5, "kl": 0.01, "explained_variance": -5.0}
        signal, noise = (4.0, 2.0) if step < 2 * steps // 3 else (1.0, 10.0)
        rows |= {"policy_gradient/signal": signal, "policy_gradient/noise": noise}
        record.write([(10 * step + 4, "", name, float(value)) for name, value in rows.items()])
    record.write([(9, "", "val/return", 3.0), (49, "", "val/return", 8.0)])
    return record


def test_returns_stand_over_environment_steps():
    section = returns_section(small_record())
    rows = {(line, x): y for line, x, y in section.figures[0].table.rows}
    assert rows["training episodes", 100.0] == 0 and rows["training episodes, high", 900.0] == 10
    assert rows["greedy evaluation", 150.0] == 3.0  # at step 9, half way from step 4 to step 14
    assert "Best evaluation: 8 after 550 steps" in section.lead


def test_quality_pools_the_last_third():
    section = gradient_quality_section(small_record(15), minibatches=4)
    assert section.data["late_ratio"] == pytest.approx(0.1)
    assert section.lead.startswith("Enlarge the batch") and "10 times as much" in section.lead
    first = section.figures[1].table.rows[0]
    assert first[1:] == pytest.approx([math.sqrt(2 / 3), math.sqrt(0.5 / 1.5)])  # a minibatch has four times the noise


def test_three_readings_give_no_verdict():
    section = gradient_quality_section(small_record(9))
    assert section.lead.startswith("Too few readings to tell") and "3 in the last third" in section.lead


@pytest.mark.parametrize(
    ("limit", "said"), [(None, "No return was cut short"), (40, "steps, whose return a time limit cut short, are left")]
)
def test_what_a_time_limit_cut_short_is_told_as_it_is(limit, said):
    """A pole falls within forty steps or is cut there: only then is anything left out."""
    environment = Environment("CartPole-v1", count=2, time_limit=limit)
    task = PolicyGradient(environment, partial(ActorCritic, hidden_sizes=[8]), A2C(), torch.optim.Adam)
    push = Agent(
        act=lambda obs: (obs[:, 2] + 0.3 * obs[:, 3] > 0).long() if limit else torch.zeros(len(obs), dtype=torch.long),
        scores=lambda obs, actions: obs[:, :1],
        score_names=("none",),
        value=task.net.value,
    )
    section = calibration_section(push, seen_of(push, environment, 2), 0.9)
    assert said in section.lead


def test_harmful_critic_is_drawn_at_its_floor():
    titles = [section.title for section in training_sections(small_record())]
    assert titles == ["Returns", "Policy and critic", "Quality of the policy gradient"]
    assert training_sections(small_record())[1].figures[2].table.rows[0][1] == -1.0
    assert training_sections(Record()) == []


def test_episode_readings():
    readings = episode_readings(Episodes([float(r) for r in range(11)], [2] * 11))
    assert {name: float(value) for name, value in readings.items()} == pytest.approx(
        {"return": 5, "return_low": 1, "return_high": 9, "length": 2}
    )
    assert episode_readings(Episodes([], [])) == {}


@pytest.mark.parametrize("steps", [40, 400])
def test_readings_of_some_states_are_those_of_all(steps):
    task = task_of(A2C(), count=8)
    task.make_collector()
    samples = task.algorithm.samples(task.net, task.collector.collect(task.sampled_actions, steps)[0])
    assert float(policy_readings(task.net, samples)["kl"]) == pytest.approx(0.0, abs=1e-6)
    with torch.no_grad():
        task.net.actor[-1].weight += 0.3 * torch.randn_like(task.net.actor[-1].weight)
        policy = task.net.policy(samples.obs_N)
        log_ratio_N = policy.log_prob(samples.actions_N) - samples.log_probs_N
    found = policy_readings(task.net, samples)
    tolerance = 1e-6 if steps == 40 else 0.1  # 320 states are all taken, of 3,200 every seventh
    assert float(found["entropy"]) == pytest.approx(float(policy.entropy().mean()), rel=tolerance)
    assert float(found["kl"]) == pytest.approx(float((log_ratio_N.exp() - 1 - log_ratio_N).mean()), rel=2 * tolerance)


# Stopping


class Fit:
    """What the callback sees of a trainer."""

    def __init__(self, fn="fit"):
        self.state, self.callback_metrics, self.should_stop = self, {}, False
        self.fn = fn

    def evaluate(self, callback, value):
        self.callback_metrics = {"val/return": torch.tensor(value)}
        callback.on_validation_end(self, None)
        return self.should_stop


def test_solved_needs_evaluations_in_a_row():
    callback, fit = Solved(475.0, sustained=2), Fit()
    assert [fit.evaluate(callback, value) for value in (480.0, 300.0, 475.0, 476.0)] == [False, False, False, True]


def test_solved_goes_on_counting_after_a_resume():
    first, fit = Solved(475.0, sustained=2), Fit()
    fit.evaluate(first, 500.0)
    second = Solved(475.0, sustained=2)
    second.load_state_dict(first.state_dict())
    assert Fit().evaluate(second, 500.0)
    assert not Fit("validate").evaluate(second, 500.0)


def test_solved_refuses_a_task_without_returns():
    with pytest.raises(InputError, match="val/return"):
        Solved(1.0).on_validation_end(Fit(), None)
    with pytest.raises(InputError, match="sustained >= 1"):
        Solved(1.0, sustained=0)
