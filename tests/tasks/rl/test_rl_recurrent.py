"""A net that remembers: the same numbers step by step and in sequence, and tasks that need a memory."""

from functools import partial
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
import yaml
from gymnasium import spaces

from tasks.rl import play
from tasks.rl.agent import agent_that_remembers
from tasks.rl.algorithms import A2C, PPO, Recurrent
from tasks.rl.algorithms.recurrent import of_environments, recurrent_samples
from tasks.rl.data import Rollouts
from tasks.rl.environments.environment import Environment
from tasks.rl.memory import Memory
from tasks.rl.networks import ActorCritic, RecurrentActorCritic
from tasks.rl.networks.recurrent import Sequences
from tasks.rl.pages.episode import episode
from tasks.rl.rollout import Collector
from tasks.rl.samples import samples_of
from tasks.rl.task import PolicyGradient
from zoo.cli.main import main
from zoo.errors import InputError

ROOT = Path(__file__).resolve().parents[3]


class Recall(gymnasium.Env):
    """One of two cues is shown at the first step; at the last, `delay` steps later, it is to be named."""

    observation_space, action_space = spaces.Box(0, 1, (3,)), spaces.Discrete(2)

    def __init__(self, delay=3):
        self.delay = delay

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cue, self.taken = int(self.np_random.integers(2)), 0
        return self._seen(), {}

    def _seen(self):
        first, last = self.taken == 0, self.taken == self.delay
        return np.array([first and self.cue == 0, first and self.cue == 1, last], dtype=np.float32)

    def step(self, action):
        last = self.taken == self.delay
        reward = float(last and action == self.cue)
        self.taken += 1
        return self._seen(), reward, last, False, {}


@pytest.fixture(autouse=True)
def registered():
    """Recall-v0 for the time of a test."""
    gymnasium.register("Recall-v0", entry_point=Recall, disable_env_checker=True)
    yield
    del gymnasium.registry["Recall-v0"]


def named(quick, net, algorithm, rollouts):
    task = PolicyGradient(
        Environment("Recall-v0", count=16),
        net,
        algorithm,
        partial(torch.optim.Adam, lr=0.01),
        rollout_steps=20,
        discount=0.9,
        evaluation_episodes=100,
        gradient_quality_every=0,
    )
    quick(max_epochs=1, limit_val_batches=0).fit(task, datamodule=Rollouts(rollouts))
    with torch.no_grad():
        return task.evaluate(task.net, 0)["return"].mean()


@pytest.mark.parametrize("algorithm", [PPO(epochs=4, minibatches=2), A2C(gae_lambda=0.95)], ids=["PPO", "A2C"])
def test_a_cue_is_recalled_by_a_net_that_remembers(quick, algorithm):
    net = partial(RecurrentActorCritic, hidden_size=16)
    assert named(quick, net, Recurrent(algorithm), 25 if isinstance(algorithm, PPO) else 120) == 1


def test_a_cue_is_not_recalled_by_a_net_that_does_not(quick):
    found = named(quick, partial(ActorCritic, hidden_sizes=[16]), PPO(epochs=4, minibatches=2), 25)
    assert abs(found - 0.5) < 4 * 0.5 / 100**0.5  # a coin's share of 100 episodes


def collected(net, environment, steps=(7, 30)):
    """Two rollouts, one after the other, with what was said while acting in the second."""
    one = Collector(environment.vector(), environment.spaces, 0.9, 3, environment.id)
    memory, said = Memory(net, environment.count), []

    def act(obs_B):
        policy = memory.policy(obs_B, torch.from_numpy(one.ended_B))
        said.append(policy)
        return policy.sample()

    one.collect(act, steps[0])
    said.clear()
    before = memory.state_2BH
    rollout, _ = one.collect(act, steps[1])
    return type(rollout)(**{**vars(rollout), "memory_2BH": before}), said


@pytest.mark.parametrize("name", ["Recall-v0", "Pendulum-v1"])
def test_a_sequence_gives_what_was_said_while_acting(name):
    environment = Environment(name, count=5, time_limit=None if name == "Recall-v0" else 9)
    net = RecurrentActorCritic(environment.spaces, 8)
    rollout, said = collected(net, environment)
    samples = recurrent_samples(net, rollout, 0.95, normalise=True)
    assert not rollout.valid_TB.all()
    whole = torch.stack([policy.log_prob(rollout.actions_TB[t]) for t, policy in enumerate(said)])
    assert torch.allclose(whole[rollout.valid_TB], samples.log_probs_N, atol=1e-6)
    for chosen in torch.randperm(5).chunk(2):
        part = of_environments(samples, chosen)
        policy, values_N = net.policy_and_value(part.obs_N)
        assert torch.allclose(policy.log_prob(part.actions_N), part.log_probs_N, atol=1e-6)
        assert torch.allclose(values_N, part.values_N, atol=1e-6)
        assert len(part) == rollout.valid_TB[:, chosen].sum()


def test_nothing_is_remembered_of_another_episode():
    environment = Environment("Recall-v0", count=1)
    net = RecurrentActorCritic(environment.spaces, 8)
    obs_TBD = torch.rand(9, 1, 3)
    valid_TB = torch.ones(9, 1, dtype=torch.bool)
    valid_TB[4] = False  # observation 4 ends an episode, 5 begins the next
    hidden_TBH = net.hidden(Sequences(obs_TBD, valid_TB, torch.rand(2, 1, 8)))
    alone_TBH = net.hidden(Sequences(obs_TBD[5:], valid_TB[5:], net.empty_memory(1)))
    assert torch.equal(hidden_TBH[5:], alone_TBH)
    # The last observation of an episode is valued with all that came before it.
    cut_TBH = net.hidden(Sequences(obs_TBD[4:5], valid_TB[4:5], net.empty_memory(1)))
    assert not torch.allclose(hidden_TBH[4:5], cut_TBH)


def test_without_use_of_the_memory_the_samples_are_those_of_a_net_without_one():
    environment = Environment("Pendulum-v1", count=3, time_limit=9)
    net = RecurrentActorCritic(environment.spaces, 8)
    with torch.no_grad():  # gates that ignore and forget the past: h = o(x) tanh(i(x) g(x))
        net.memory.weight_hh.zero_()
        net.memory.bias_ih[8:16] = -1e9
    rollout, _ = collected(net, environment)

    class Plain(torch.nn.Module):
        def policy_and_value(self, obs_ND):
            everything = torch.ones(1, len(obs_ND), dtype=torch.bool)
            return net.policy_and_value(Sequences(obs_ND[None], everything, net.empty_memory(len(obs_ND))))

    for normalise in (True, False):
        ours, theirs = recurrent_samples(net, rollout, 0.9, normalise), samples_of(Plain(), rollout, 0.9, normalise)
        for field in ("actions_N", "advantages_N", "targets_N", "log_probs_N", "values_N"):
            assert torch.allclose(getattr(ours, field), getattr(theirs, field), atol=1e-5), field


def test_a_remembering_net_and_a_forgetful_algorithm_are_refused_together(quick):
    environment, adam = Environment("Recall-v0", count=4), partial(torch.optim.Adam, lr=0.01)
    with pytest.raises(InputError, match=r"expected tasks.rl.algorithms.Recurrent for a net that remembers, got PPO"):
        PolicyGradient(environment, RecurrentActorCritic, PPO(), adam)
    task = PolicyGradient(environment, ActorCritic, Recurrent(PPO()), adam, gradient_quality_every=0)
    with pytest.raises(InputError, match=r"expected a net that remembers with Recurrent, got ActorCritic"):
        quick().fit(task, datamodule=Rollouts(1))
    task = PolicyGradient(environment, RecurrentActorCritic, Recurrent(PPO(minibatches=5)), adam, rollout_steps=4)
    with pytest.raises(InputError, match=r"expected no more minibatches than environments, got 5 and 4"):
        quick().fit(task, datamodule=Rollouts(1))
    with pytest.raises(InputError, match=r"model.gradient_quality_every: expected 0 with a net that remembers"):
        PolicyGradient(environment, RecurrentActorCritic, Recurrent(PPO()), adam, gradient_quality_every=5)


def test_playing_forgets_between_episodes():
    environment = Environment("Recall-v0")
    net = RecurrentActorCritic(environment.spaces, 8)
    with torch.no_grad():
        net.actor[0].weight.mul_(1000)  # a choice that hangs on what is remembered
    agent, single = agent_that_remembers(net), environment.single()
    torch.manual_seed(0)
    one, _, again = (episode(single, environment.spaces, agent.act, seed) for seed in (1, 2, 1))
    assert torch.equal(one.actions_T, again.actions_T) and torch.equal(one.obs_T, again.obs_T)
    sequences = Sequences(one.obs_T[:-1, None], torch.ones(4, 1, dtype=torch.bool), net.empty_memory(1))
    assert torch.equal(one.actions_T, net.policy(sequences).mode())


def test_positions_are_those_of_the_whole_cart_and_pole():
    whole = gymnasium.make("CartPole-v1")
    hidden = Environment("tasks.rl.environments.cart_pole_positions:CartPolePositions-v1").single()
    assert hidden.observation_space.shape == (2,) and hidden.spec.max_episode_steps == 500
    (first, _), (seen, _) = whole.reset(seed=3), hidden.reset(seed=3)
    assert np.array_equal(first[[0, 2]], seen)
    ended = False
    while not ended:  # pushed one way until the pole falls
        all_four, *rest = whole.step(0)
        seen, *others = hidden.step(0)
        assert np.array_equal(all_four[[0, 2]], seen) and rest == others
        ended = rest[1]


def test_a_recipe_with_memory_is_fitted_reported_played_and_tested(tmp_path, capsys):
    recipe = yaml.safe_load((ROOT / "configs/rl/cartpole.yaml").read_text())
    options = recipe["model"]["init_args"]
    options["environment"] = {"id": "CartPole-v1", "count": 4}
    options["net"] = {"class_path": "tasks.rl.networks.RecurrentActorCritic", "init_args": {"hidden_size": 8}}
    inner = {"class_path": "tasks.rl.algorithms.PPO", "init_args": {"epochs": 1, "minibatches": 2}}
    options["algorithm"] = {"class_path": "tasks.rl.algorithms.Recurrent", "init_args": {"algorithm": inner}}
    recipe["trainer"] = {"max_epochs": 1, "accelerator": "cpu", "threads": 1}
    (tmp_path / "memory.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["fit", str(tmp_path / "memory.yaml"), "--root", str(tmp_path / "runs")]) == 0
    said = capsys.readouterr().out
    run = next((tmp_path / "runs").rglob("metrics.json")).parent
    assert main(["test", str(run)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] in said
    assert play.run([str(run), "--episodes", "2"]) == 0  # the verb `zoo play`
    assert "2 episodes" in capsys.readouterr().out
    assert main(["explain", str(run), "--examples", "1"]) == 0
