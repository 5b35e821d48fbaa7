"""Every kind of observation and action reaches the net and the environment as it should, and can be learnt from."""

from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch.distributions import Categorical as TheirCategorical
from torch.distributions import Independent, Normal, kl_divergence

from tasks.rl.algorithms import A2C, PPO, Reinforce
from tasks.rl.data import Rollouts
from tasks.rl.distributions import Categorical, DiagonalGaussian, MultiCategorical
from tasks.rl.environments.environment import Environment
from tasks.rl.environments.spaces import Spaces
from tasks.rl.networks import ActorCritic, ImageActorCritic
from tasks.rl.rollout import Collector
from tasks.rl.task import PolicyGradient
from zoo.errors import InputError

FLAT = spaces.Box(-1, 1, (3,))


class Copy(gymnasium.Env):
    """The observation is what the action should be; reward 1 for the same, less for others."""

    def __init__(self, space):
        self.observation_space = self.action_space = space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._draw(), {}

    def _draw(self):
        space, draw = self.action_space, self.np_random
        if isinstance(space, spaces.Box):
            self.wanted = draw.uniform(space.low, space.high).astype(np.float32)
        else:
            self.wanted = space.start + draw.integers(space.n if isinstance(space, spaces.Discrete) else space.nvec)
        return self.wanted

    def step(self, action):
        if isinstance(self.action_space, spaces.Box):
            reward = 1 - float(np.square(action - self.wanted).mean())
        else:
            reward = float(np.mean(np.asarray(action) == self.wanted))
        assert self.action_space.contains(action if isinstance(action, np.ndarray) else int(action))
        return self._draw(), reward, False, False, {}


COPIED = {
    "discrete": spaces.Discrete(4, start=3),
    "multi-discrete": spaces.MultiDiscrete([2, 3], start=[5, -1]),
    "box": spaces.Box(np.array([[-2.0, 0.0]], np.float32), np.array([[1.0, 5.0]], np.float32)),
}


@pytest.fixture
def copying():
    """Register environments for the time of a test."""

    def make(space):
        gymnasium.register("Copy-v0", entry_point=lambda: Copy(space), max_episode_steps=10, disable_env_checker=True)
        return Environment("Copy-v0", count=8)

    yield make
    gymnasium.registry.pop("Copy-v0", None)


@pytest.mark.parametrize("kind", COPIED)
@pytest.mark.parametrize(
    "algorithm", [PPO(epochs=4, minibatches=1), A2C(gae_lambda=0.0), Reinforce()], ids=lambda one: type(one).__name__
)
def test_an_identity_is_learnt(quick, copying, kind, algorithm):
    task = PolicyGradient(
        copying(COPIED[kind]),
        partial(ActorCritic, hidden_sizes=[32], normalise_observations=kind == "box", log_std=-1.0),
        algorithm,
        partial(torch.optim.Adam, lr=0.02),
        rollout_steps=16,
        discount=0.0,
    )
    trainer = quick(max_epochs=1, limit_val_batches=0)
    trainer.fit(task, datamodule=Rollouts(60 if isinstance(algorithm, PPO) else 100))
    with torch.no_grad():
        mean = task.evaluate(task.net, 0)["return"].mean() / 10
    assert mean > (0.95 if kind == "box" else 0.99), mean


def test_actions_of_a_box_are_scaled_to_its_range_and_clipped():
    served = Spaces(FLAT, spaces.Box(np.array([[-2.0], [0.0]], np.float32), np.array([[1.0], [5.0]], np.float32)))
    found = served.to_env(torch.tensor([[-1.0, 1.0], [0.0, 0.0], [3.0, -9.0]]))
    assert found.shape == (3, 2, 1) and found.dtype == np.float32
    assert found[..., 0].tolist() == [[-2, 5], [-0.5, 2.5], [1, 0]]


def test_discrete_actions_begin_where_their_space_does():
    assert Spaces(FLAT, spaces.Discrete(3, start=-1)).to_env(torch.tensor([0, 2])).tolist() == [-1, 1]
    served = Spaces(FLAT, spaces.MultiDiscrete([2, 3], start=[5, -1]))
    assert served.to_env(torch.tensor([[0, 2], [1, 0]])).tolist() == [[5, 1], [6, -1]]


class Shows(gymnasium.Env):
    """Observations of any space."""

    action_space = spaces.Discrete(2)

    def __init__(self, space):
        self.observation_space = space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(1)
        self.shown = self.observation_space.sample()
        return self.shown, {}

    def step(self, action):
        return self.shown, 1.0, False, False, {}


@pytest.mark.parametrize(
    ("space", "numbers_of"),
    [
        (spaces.Discrete(4, start=2), lambda x: np.eye(4)[x - 2]),
        (spaces.MultiDiscrete([2, 3]), lambda x: np.concatenate([np.eye(2)[x[0]], np.eye(3)[x[1]]])),
        (spaces.MultiBinary(3), lambda x: x),
        (spaces.Dict(b=spaces.Box(0, 9, (2, 2)), a=spaces.Discrete(3)), lambda x: [*x["b"].flat, *np.eye(3)[x["a"]]]),
        (spaces.Tuple([spaces.Discrete(2), spaces.Box(-1, 1, (3,))]), lambda x: [*np.eye(2)[x[0]], *x[1]]),
        (spaces.Box(0, 255, (4,), np.uint8), lambda x: x),
        (spaces.Box(-1, 1, (2, 3), np.float64), lambda x: x.flat),
    ],
    ids=["discrete", "multi-discrete", "binary", "dict", "tuple", "bytes", "matrix"],
)
def test_observations_of_every_space_become_flat_numbers(space, numbers_of):
    gymnasium.register("Shows-v0", entry_point=lambda: Shows(space), disable_env_checker=True)
    try:
        environment = Environment("Shows-v0", count=2)
        one = Collector(environment.vector(), environment.spaces, 0.9, 0, environment.id)
        space.seed(1)
        expected = torch.tensor(np.array(list(numbers_of(space.sample())), dtype=np.float32))
        net = ActorCritic(environment.spaces, [8])
        rollout, _ = one.collect(lambda obs_B: net.policy(obs_B).sample(), 3)
        assert rollout.obs_TB.dtype == torch.float32
        assert torch.equal(rollout.obs_TB, expected.expand(4, 2, -1))
    finally:
        del gymnasium.registry["Shows-v0"]


def test_frozen_lake_shows_its_field_as_one_of_sixteen():
    environment = Environment("FrozenLake-v1", count=2)
    one = Collector(environment.vector(), environment.spaces, 0.9, 0, environment.id)
    assert one.observations.tolist() == [[1.0] + [0.0] * 15] * 2


def test_atari_frames_reach_the_net_as_four_grey_ones_and_reset_ends_in_a_no_op_start():
    pytest.importorskip("ale_py"), pytest.importorskip("cv2")
    environment = Environment("ALE/Pong-v5", count=2, preprocessing="atari", options={"repeat_action_probability": 0.0})
    assert environment.spaces.is_image and environment.spaces.observation.shape == (4, 84, 84)
    one = Collector(environment.vector(), environment.spaces, 0.99, 0, environment.id)
    net = ImageActorCritic(environment.spaces, features=8)
    rollout, _ = one.collect(lambda obs_B: net.policy(obs_B).sample(), 4)
    assert rollout.obs_TB.dtype == torch.uint8 and rollout.obs_TB.shape == (5, 2, 4, 84, 84)
    # The newest frame comes last; every frame moves up by one place a step.
    assert torch.equal(rollout.obs_TB[1:, :, :3], rollout.obs_TB[:-1, :, 1:])
    frames = [one.environments.unwrapped.envs[i].unwrapped.ale.getEpisodeFrameNumber() for i in range(2)]
    assert all(1 <= frame - 4 * 4 <= 30 for frame in frames) and frames[0] != frames[1]  # four of four, after no-ops


def test_nets_for_other_observations_are_refused_in_one_line():
    frames = Spaces(spaces.Box(0, 255, (4, 84, 84), np.uint8), spaces.Discrete(2))
    with pytest.raises(
        InputError,
        match=r"model.net: expected flat observations, got frames \[4, 84, 84\]; take .*preprocessing to atari",
    ):
        ActorCritic(frames)
    with pytest.raises(InputError, match=r"model.net: expected frames .*, got \[3\]"):
        ImageActorCritic(Spaces(FLAT, spaces.Discrete(2)))
    last = Spaces(spaces.Box(0, 255, (210, 160, 3), np.uint8), spaces.Discrete(2))
    with pytest.raises(InputError, match=r"model.net: expected frames .*, got \[210, 160, 3\]"):
        ImageActorCritic(last)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (spaces.Box(-np.inf, np.inf, (2,)), "expected a bounded action Box"),
        (spaces.MultiBinary(3), "expected actions Discrete, MultiDiscrete or Box, got MultiBinary"),
        (spaces.MultiDiscrete([[2, 3]]), "expected a flat MultiDiscrete action"),
    ],
)
def test_actions_that_no_policy_gives_are_refused(action, said):
    with pytest.raises(InputError, match=said):
        Spaces(FLAT, action)


def test_categorical_against_torch():
    logits_NA, other_NA = torch.randn(2, 6, 5).double()
    ours, theirs, third = Categorical(logits_NA), TheirCategorical(logits=logits_NA), TheirCategorical(logits=other_NA)
    actions_N = torch.arange(6) % 5
    assert torch.allclose(ours.log_prob(actions_N), theirs.log_prob(actions_N), rtol=1e-12)
    assert torch.allclose(ours.entropy(), theirs.entropy(), rtol=1e-12)
    assert torch.allclose(ours.kl_from(Categorical(other_NA)), kl_divergence(third, theirs), rtol=1e-12)
    assert torch.equal(ours.mode(), theirs.mode)


def test_multi_categorical_against_torch():
    logits_NA, other_NA = torch.randn(2, 6, 5).double()
    ours = MultiCategorical(logits_NA, (2, 3))
    parts = [TheirCategorical(logits=part) for part in logits_NA.split((2, 3), -1)]
    others = [TheirCategorical(logits=part) for part in other_NA.split((2, 3), -1)]
    actions_NG = torch.stack([torch.arange(6) % 2, torch.arange(6) % 3], -1)
    expected = sum(part.log_prob(actions_NG[:, g]) for g, part in enumerate(parts))
    assert torch.allclose(ours.log_prob(actions_NG), expected, rtol=1e-12)
    assert torch.allclose(ours.entropy(), sum(part.entropy() for part in parts), rtol=1e-12)
    divergence = sum(kl_divergence(other, part) for other, part in zip(others, parts, strict=True))
    assert torch.allclose(ours.kl_from(MultiCategorical(other_NA, (2, 3))), divergence, rtol=1e-12)
    assert torch.equal(ours.mode(), torch.stack([part.mode for part in parts], -1))
    chosen = torch.tensor([4, 1])
    assert torch.equal(ours[chosen].log_prob(actions_NG[chosen]), ours.log_prob(actions_NG)[chosen])


@pytest.mark.parametrize("by_state", [False, True])
def test_gaussian_against_torch(by_state):
    mean_NA, other_NA, actions_NA = torch.randn(3, 6, 2).double()
    log_std = torch.randn(6, 2).double() if by_state else torch.randn(2).double()
    ours, other = DiagonalGaussian(mean_NA, log_std), DiagonalGaussian(other_NA, 0.3 * log_std)
    theirs, third = (Independent(Normal(one.mean_NA, one.log_std_A.exp()), 1) for one in (ours, other))
    assert torch.allclose(ours.log_prob(actions_NA), theirs.log_prob(actions_NA), rtol=1e-12)
    assert torch.allclose(ours.entropy(), theirs.entropy(), rtol=1e-12)
    assert torch.allclose(ours.kl_from(other), kl_divergence(third, theirs), rtol=1e-12)


def test_samples_have_the_probabilities_that_log_prob_says():
    count = 40_000
    logits_A = torch.tensor([0.0, 1.0, -2.0, 0.5])
    drawn_N = Categorical(logits_A.expand(count, 4)).sample()
    expected_A = logits_A.softmax(0)
    error_A = (expected_A * (1 - expected_A) / count).sqrt()
    assert ((drawn_N.bincount(minlength=4) / count - expected_A).abs() < 4 * error_A).all()
    normal_NA = DiagonalGaussian(torch.tensor([1.0, -2.0]).expand(count, 2), torch.tensor([0.5, -1.0])).sample()
    std_A = torch.tensor([0.5, -1.0]).exp()
    assert ((normal_NA.mean(0) - torch.tensor([1.0, -2.0])).abs() < 4 * std_A / count**0.5).all()
    assert ((normal_NA.std(0) / std_A - 1).abs() < 4 / (2 * count) ** 0.5).all()
