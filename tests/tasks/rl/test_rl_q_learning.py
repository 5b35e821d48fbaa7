"""Q-learning as a whole: exact values of a small chain, identity environments, schedules, resuming, refusals."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from tasks.rl.algorithms import DQN, NAF, CategoricalDQN, ImaginedNAF
from tasks.rl.data import Rollouts
from tasks.rl.environments.environment import Environment
from tasks.rl.exploration import EpsilonGreedy, GaussianNoise, OrnsteinUhlenbeck
from tasks.rl.networks import NAF as NAFNetwork
from tasks.rl.networks import NAFWithModel, QNetwork
from tasks.rl.off_policy import QLearning, follow
from tasks.rl.replay.priorities import Prioritised
from tasks.rl.replay.replay import Replay
from tests.conftest import readings_of
from tests.zoo.training.test_resume import Killer, Stop
from zoo.errors import InputError
from zoo.optim import WarmupDecay
from zoo.training.checkpoints import AtomicCheckpointIO, Checkpointer, read_checkpoint
from zoo.training.monitor import MonitorOptions
from zoo.training.record import Record

GAMMA, STATES = 0.8, 4


class Chain(gymnasium.Env):
    """Left (0) or right (1) along four states, seen as one-hot vectors; episodes are cut after six steps.

    Right at the last state terminates with reward 1; left at the first stays there with reward 0.05.
    """

    observation_space = spaces.Box(0, 1, (STATES,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, render_mode=None, limit=6):
        self.limit = limit

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state, self.steps = int(self.np_random.integers(STATES)), 0
        return self._seen(), {}

    def step(self, action):
        self.steps += 1
        ends = self.state == STATES - 1 and action == 1
        reward = 1.0 if ends else 0.05 if self.state == 0 and action == 0 else 0.0
        self.state = min(max(self.state + 2 * int(action) - 1, 0), STATES - 1)
        return self._seen(), reward, ends, self.steps == self.limit, {}

    def _seen(self):
        return np.eye(STATES, dtype=np.float32)[self.state]


def chain_values() -> np.ndarray:
    """Q* by value iteration; the time limit is no part of the task."""
    q = np.zeros((STATES, 2))
    for _ in range(200):
        v = q.max(1)
        for s in range(STATES):
            q[s, 0] = (0.05 if s == 0 else 0.0) + GAMMA * v[max(s - 1, 0)]
            q[s, 1] = 1.0 if s == STATES - 1 else GAMMA * v[s + 1]
    return q


class Identity(gymnasium.Env):
    """Do what you see: reward -(action - observation)^2, eight steps, then the episode is cut."""

    observation_space = spaces.Box(-1, 1, (1,), np.float32)
    action_space = spaces.Box(-2, 2, (1,), np.float32)

    def __init__(self, render_mode=None):
        pass

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self._next(), {}

    def step(self, action):
        self.steps += 1
        reward = -float((action[0] - self.goal[0]) ** 2)
        return self._next(), reward, False, self.steps == 8, {}

    def _next(self):
        self.goal = self.np_random.uniform(-1, 1, 1).astype(np.float32)
        return self.goal


gymnasium.register("ZooChain-v0", Chain, order_enforce=False, disable_env_checker=True)
gymnasium.register("ZooIdentity-v0", Identity, order_enforce=False, disable_env_checker=True)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=5e-3)


def chain_task(algorithm, replay, exploration=EpsilonGreedy(1.0, 1.0), limit=6, **net) -> QLearning:  # noqa: B008
    return QLearning(
        Environment("ZooChain-v0", count=4, options={"limit": limit}),
        lambda spaces_: QNetwork(spaces_, [32, 32], **net),
        algorithm,
        adam,
        replay,
        exploration,
        updates=50,
        warmup=1000,
        target_rate=1.0,
        discount=GAMMA,
        evaluation_episodes=4,
    )


ATOMS = {"atoms": 41, "low": -0.5, "high": 1.5}


@pytest.mark.parametrize(
    ("algorithm", "replay", "net"),
    [
        (DQN(), {}, {}),
        (DQN(double=True), {}, {}),
        (DQN(), {"priorities": Prioritised(anneal_steps=1000)}, {}),
        (DQN(), {}, {"dueling": True}),
        (CategoricalDQN(), {}, ATOMS),
        (CategoricalDQN(double=True), {"priorities": Prioritised(anneal_steps=1000)}, {**ATOMS, "dueling": True}),
    ],
    ids=["plain", "double", "prioritised", "dueling", "c51", "all"],
)
def test_values_of_a_chain_are_those_of_value_iteration(quick, algorithm, replay, net):
    task = chain_task(algorithm, Replay(2000, **replay), **net)
    trainer = quick(max_epochs=1, limit_val_batches=0)
    trainer.fit(task, datamodule=Rollouts(14))
    found = task.net(torch.eye(STATES)).detach().numpy()
    assert np.abs(found - chain_values()).max() < 0.04  # a cut that counts as an end would be off by 0.1 and more


def test_three_steps_bring_a_reward_three_states_back(quick):
    """One update of the target net and none of its values: what n steps alone can know."""
    task = chain_task(DQN(), Replay(2000, n_step=3), limit=100)
    task.target_every = 10**6
    with torch.no_grad():
        task.target.advantage.out.weight.zero_(), task.target.advantage.out.bias.zero_()
    quick(max_epochs=1, limit_val_batches=0).fit(task, datamodule=Rollouts(8))
    right = task.net(torch.eye(STATES)).detach()[:, 1]
    # From state 1, right and then right twice by chance (1/4) earns gamma^2; nothing else earns within three steps.
    assert float(right[3]) == pytest.approx(1.0, abs=0.05)
    assert float(right[2]) == pytest.approx(GAMMA / 2, abs=0.08)  # a quarter: right, left, right needs four steps
    assert float(right[1]) == pytest.approx(GAMMA**2 / 4, abs=0.08)


def test_scaled_rewards_reach_the_memory_and_no_figure(quick):
    plain, scaled = (chain_task(DQN(), Replay(2000)) for _ in range(2))
    scaled.reward_scale = 4.0
    for task in (plain, scaled):
        torch.manual_seed(1)
        quick(max_epochs=1, limit_val_batches=0).fit(task, datamodule=Rollouts(1))
    assert np.array_equal(4 * plain.replay.rewards, scaled.replay.rewards)
    returns = [list(task.monitor.record.series("return")[""].values) for task in (plain, scaled)]
    assert returns[0] == returns[1]
    obs = torch.eye(STATES)
    torch.testing.assert_close(scaled.agent().value(obs), scaled.net(obs).amax(1) / 4)


def test_noisy_nets_learn_without_random_actions(quick):
    task = chain_task(DQN(), Replay(2000), None, noisy=True)
    quick(max_epochs=1, limit_val_batches=0).fit(task, datamodule=Rollouts(14))
    task.eval()
    assert task.net(torch.eye(STATES)).argmax(1).tolist() == [1, 1, 1, 1]


def identity_task(net, algorithm, exploration, **options) -> QLearning:
    settings = {"updates": 50, "warmup": 200, "target_rate": 0.5, "discount": 0.5, "evaluation_episodes": 4} | options
    environment = Environment("ZooIdentity-v0", count=4)
    return QLearning(environment, net, algorithm, adam, Replay(2000), exploration, **settings)


@pytest.mark.parametrize("imagine", [False, True])
def test_naf_learns_to_do_what_it_sees(quick, imagine):
    algorithm, net = (ImaginedNAF(horizon=2), NAFWithModel) if imagine else (NAF(), NAFNetwork)
    task = identity_task(lambda spaces_: net(spaces_, [32, 32]), algorithm, GaussianNoise(0.5, 0.5))
    trainer = quick(max_epochs=1)
    trainer.fit(task, datamodule=Rollouts(10))
    assert trainer.callback_metrics["val/return"] > -0.05  # uniform actions: -8 (4/3 + 1/3) = -13


def test_imagined_steps_follow_the_model():
    task = identity_task(lambda spaces_: NAFWithModel(spaces_, [8], [8]), ImaginedNAF(2, noise=0.0), GaussianNoise())
    obs = torch.randn(5, 1)
    first, second = task.algorithm.imagined(task.net, obs)
    assert torch.equal(first.actions_N, task.net.naf.best(obs))
    after, rewards, discount = task.net.model(obs, first.actions_N)
    assert all(torch.equal(*pair) for pair in zip(first[2:5], (rewards, discount, after), strict=True))
    assert torch.equal(second.obs_N, after)


@pytest.mark.parametrize(("kind", "kill_at"), [("dqn", 21), ("c51", 15), ("naf", 27)])  # a checkpoint each batch
def test_killed_and_resumed_is_the_same_bits(tmp_path, quick, kind, kill_at):
    def train(folder, kill_at=None, resume=False):
        torch.manual_seed(99 if resume else 3)
        if kind == "naf":
            task = identity_task(lambda s: NAFWithModel(s, [8], [8]), ImaginedNAF(), OrnsteinUhlenbeck(), updates=3)
        else:
            algorithm, net = (DQN(), {"normalise_observations": True}) if kind == "dqn" else (CategoricalDQN(), ATOMS)
            replay = Replay(1000, n_step=2, priorities=Prioritised(anneal_steps=300))
            task = chain_task(algorithm, replay, EpsilonGreedy(1.0, 0.1, 100), **net)
            task.updates, task.warmup, task.target_every, task.target_rate = 3, 40, 4, 0.7
        task._make_scheduler = lambda o: WarmupDecay(o, 40)
        task.monitor.options = MonitorOptions(sample_every=4, flush_every=5)
        task.write_readings_to(Record(folder / "record.sqlite"))
        killer = Killer(folder, "val/return", "max", every_n_steps=3, at=kill_at)
        trainer = quick(max_epochs=4, callbacks=[killer], plugins=[AtomicCheckpointIO()])
        resume = str(folder / "last.ckpt") if resume else None
        try:
            trainer.fit(task, datamodule=Rollouts(5), ckpt_path=resume)
        except Stop:
            pass
        return task

    whole, part = tmp_path / "whole", tmp_path / "part"
    whole.mkdir(), part.mkdir()
    expected = train(whole)
    train(part, kill_at=kill_at)
    found = train(part, resume=True)
    for name, value in expected.state_dict().items():
        other = found.state_dict()[name]
        assert torch.equal(value, other) if isinstance(value, torch.Tensor) else value == other, name
    for name in Replay.ARRAYS:
        assert np.array_equal(getattr(expected.replay, name), getattr(found.replay, name)), name
    if kind != "naf":
        weights = [task.replay.priorities.tree.weights for task in (expected, found)]
        assert np.array_equal(*weights)
    assert readings_of(expected.monitor.record) == readings_of(found.monitor.record)
    assert expected.environment_steps == found.environment_steps


def test_the_memory_is_kept_once_and_the_best_cannot_be_resumed(tmp_path, quick):
    """Both files would hold it otherwise, 1.4 GB each for Pong."""

    def train(resume=None):
        task = chain_task(DQN(), Replay(2000))
        checkpointer = Checkpointer(tmp_path, *task.best_metric)
        trainer = quick(max_epochs=2 if resume else 1, callbacks=[checkpointer], plugins=[AtomicCheckpointIO()])
        trainer.fit(task, datamodule=Rollouts(1), ckpt_path=resume)
        return task

    task = train()
    last, best = (read_checkpoint(tmp_path / f"{name}.ckpt") for name in ("last", "best"))
    assert "replay" in last and "replay" not in best
    for name, value in task.net.state_dict().items():
        assert torch.equal(best["state_dict"][f"net.{name}"], value)
    with pytest.raises(InputError, match=r"resume: expected a checkpoint with its replay memory, .* from last.ckpt"):
        train(str(tmp_path / "best.ckpt"))
    assert train(str(tmp_path / "last.ckpt")).environment_steps > task.environment_steps


def test_the_target_follows():
    net, target = QNetwork(Environment("ZooChain-v0").spaces, [4]), QNetwork(Environment("ZooChain-v0").spaces, [4])
    before = [p.clone() for p in target.parameters()]
    follow(target, net, 0.25)
    for old, ours, now in zip(before, net.parameters(), target.parameters(), strict=True):
        torch.testing.assert_close(now, 0.75 * old + 0.25 * ours)
    follow(target, net, 1.0)
    assert all(torch.equal(a, b) for a, b in zip(target.parameters(), net.parameters(), strict=True))


def test_epsilon_falls_linearly():
    exploration, best = EpsilonGreedy(1.0, 0.2, 100), torch.zeros(40_000, dtype=torch.long)
    for step, epsilon in [(0, 1.0), (50, 0.6), (100, 0.2), (900, 0.2)]:
        other = exploration.tried(best, Environment("ZooChain-v0").spaces, step, None).float().mean()
        assert float(other) == pytest.approx(epsilon / 2, abs=0.013)  # half of the random ones are the best one


def test_ornstein_uhlenbeck_noise_lasts_and_begins_at_zero():
    noise, spaces_ = OrnsteinUhlenbeck(theta=0.2, sigma=0.1), Environment("ZooIdentity-v0").spaces
    best, going = torch.zeros(2000, 1), np.zeros(2000, bool)
    for _ in range(60):
        before = noise.tried(best, spaces_, 0, going)
    after = noise.tried(best, spaces_, 0, going)
    assert float(after.std()) == pytest.approx(0.1 / (0.2 * 1.8) ** 0.5, rel=0.08)
    assert float(torch.corrcoef(torch.stack([before[:, 0], after[:, 0]]))[0, 1]) == pytest.approx(0.8, abs=0.04)
    assert not noise.tried(best, spaces_, 0, ~going).any()  # the step that resets
    assert float(noise.tried(best, spaces_, 0, going).std()) == pytest.approx(
        0.1, rel=0.08
    )  # sigma, an episode's first


def net_of(**options):
    return lambda spaces_: QNetwork(spaces_, [8], **options)


def refused(net=net_of(), algorithm=DQN(), exploration=EpsilonGreedy(), env="ZooChain-v0", replay=None, **options):  # noqa: B008
    return QLearning(Environment(env), net, algorithm, adam, replay or Replay(2000), exploration, **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"net": net_of(atoms=5)}, "without atoms"),
        ({"algorithm": CategoricalDQN()}, "with atoms"),
        ({"exploration": None}, "exploration"),
        ({"exploration": GaussianNoise()}, "discrete"),
        ({"env": "ZooIdentity-v0", "net": NAFNetwork, "algorithm": NAF()}, "box"),
        ({"algorithm": NAF()}, "NAF"),
        (
            {"env": "ZooIdentity-v0", "exploration": GaussianNoise(), "net": NAFNetwork, "algorithm": ImaginedNAF()},
            "NAFWithModel",
        ),
        (
            {
                "env": "ZooIdentity-v0",
                "exploration": GaussianNoise(),
                "net": NAFWithModel,
                "algorithm": ImaginedNAF(),
                "replay": Replay(2000, 2),
            },
            "n_step",
        ),
        ({"warmup": 3000}, "warmup"),
        ({"target_rate": 0.0}, "target_rate"),
        ({"updates": 0}, "updates"),
    ],
)
def test_refuses_what_would_do_nothing_or_harm(options, text):
    with pytest.raises(InputError, match=text):
        refused(**options)
