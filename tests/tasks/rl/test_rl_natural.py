"""Natural gradients, trust regions and parameter exploration: identity environments learned, steps as asked, resume."""

from functools import partial

import gymnasium
import numpy as np
import pytest
import torch

from tasks.rl.algorithms import A2C, PGPE, PPO, TRPO, NaturalActorCritic, NaturalPolicyGradient
from tasks.rl.data import Rollouts
from tasks.rl.environments.environment import Environment
from tasks.rl.networks import ActorCritic, LinearPolicy
from tasks.rl.task import ParameterExploring, PolicyGradient
from tests.conftest import readings_of
from zoo.errors import InputError
from zoo.optim import NaturalGradient, TrustRegion
from zoo.training.checkpoints import AtomicCheckpointIO, Checkpointer
from zoo.training.record import Record


class Identity(gymnasium.Env):
    """Do what you see: reward 1 for the choice seen, or -(action - observation)^2; eight steps, then it is cut."""

    def __init__(self, continuous=False, render_mode=None):
        self.continuous = continuous
        shape = (2,) if continuous else (3,)
        self.observation_space = gymnasium.spaces.Box(-1, 1, shape, np.float32)
        self.action_space = gymnasium.spaces.Box(-1, 1, (2,)) if continuous else gymnasium.spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self._next(), {}

    def step(self, action):
        self.steps += 1
        if self.continuous:
            reward = -float(((np.asarray(action) - self.goal) ** 2).sum())
        else:
            reward = float(action == self.goal.argmax())
        return self._next(), reward, False, self.steps == 8, {}

    def _next(self):
        if self.continuous:
            self.goal = self.np_random.uniform(-0.8, 0.8, 2).astype(np.float32)
        else:
            self.goal = np.eye(3, dtype=np.float32)[self.np_random.integers(3)]
        return self.goal


gymnasium.register("NaturalIdentity-v0", Identity, disable_env_checker=True)

ADAM = partial(torch.optim.Adam, lr=0.01)
NATURAL = partial(NaturalGradient, kl=0.02)
METHODS = {
    "NPG": (NaturalPolicyGradient(), NATURAL),
    "NAC": (NaturalActorCritic(), NATURAL),
    "TRPO": (TRPO(), partial(TrustRegion, kl=0.02)),
}


def identity(continuous, count=16):
    return Environment("NaturalIdentity-v0", count=count, options={"continuous": continuous})


def on_policy(algorithm, optimizer, continuous, rollout_steps=16):
    net = partial(ActorCritic, hidden_sizes=[16], log_std=-0.7)
    return PolicyGradient(
        identity(continuous), net, algorithm, optimizer, rollout_steps=rollout_steps, discount=0.0,
        evaluation_episodes=40, gradient_quality_every=0, value_optimizer=ADAM,
    )  # fmt: skip


def exploring(continuous, count=32, **options):
    optimizer = partial(NaturalGradient, kl=0.5, damping=1e-3)
    return ParameterExploring(identity(continuous, count), LinearPolicy, optimizer, evaluation_episodes=40, **options)


@pytest.mark.parametrize("kind", [A2C, PPO, TRPO, NaturalPolicyGradient, NaturalActorCritic])
@pytest.mark.parametrize("gae_lambda", [-0.1, 1.5])
def test_a_trace_that_does_not_decay_is_refused_when_it_is_asked_for(kind, gae_lambda):
    with pytest.raises(InputError, match=f"gae_lambda: expected a number in .*, got {gae_lambda}"):
        kind(gae_lambda=gae_lambda)


def mean_return(task):
    return float(task.evaluate(task.net, 0)["return"].mean())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("continuous", "rollouts", "least"), [(False, 6, 7.9), (True, 18, -0.2)])
def test_the_identity_is_learned(quick, method, continuous, rollouts, least):
    """A random policy earns 8/3, or -3.4 where it acts in the middle."""
    task = on_policy(*METHODS[method], continuous, 64 if continuous else 16)
    assert mean_return(task) < least - 2
    quick(max_epochs=1, limit_val_batches=0).fit(task, datamodule=Rollouts(rollouts))
    assert mean_return(task) > least


@pytest.mark.parametrize(("continuous", "generations", "least"), [(False, 20, 7.9), (True, 40, -0.4)])
def test_the_identity_is_learned_by_exploring_parameters(quick, continuous, generations, least):
    task = exploring(continuous)
    assert mean_return(task) < least - 2
    quick(max_epochs=1, limit_val_batches=0).fit(task, datamodule=Rollouts(generations))
    assert mean_return(task) > least
    assert task.environment_steps == generations * 32 * 8


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("continuous", [False, True])
def test_steps_are_recorded_and_as_long_as_asked(quick, method, continuous):
    task = on_policy(*METHODS[method], continuous)
    quick(max_epochs=1, limit_val_batches=0).fit(task, datamodule=Rollouts(4))
    found = {name: [] for name in ("step_kl", "cg_residual", "predicted", "actual", "accepted")}
    for _, name, _, value in readings_of(task.monitor.record):
        found.setdefault(name, []).append(value)
    assert found["accepted"] == [1.0] * 4
    assert len(found["cg_residual"]) == 4 and max(found["cg_residual"]) < 0.5
    assert min(found["actual"]) > 0 and min(found["predicted"]) > 0
    assert min(found["step_kl"]) > 0.005 and max(found["step_kl"]) < (0.02 if method == "TRPO" else 0.04)


def test_the_policy_that_collected_does_not_move_with_the_net():
    """A Gaussian's spread is a parameter of the net itself."""
    task = on_policy(*METHODS["TRPO"], True)
    task.make_collector()
    samples = task.algorithm.samples(task.net, task.collector.collect(task.sampled_actions, 4)[0])
    task.net.log_std.data += 0.5
    torch.testing.assert_close(samples.policy.log_std_A, torch.full((2,), -0.7))
    assert float(task.divergence(task.net, samples)().detach()) == pytest.approx(2 * (0.5 + (np.exp(-1) - 1) / 2))


def train(folder, quick, kind, rollouts, resume=False):
    folder.mkdir(exist_ok=True)
    torch.manual_seed(99 if resume else 5)  # a new process has another random state
    task = exploring(False, 8) if kind == "PGPE" else on_policy(*METHODS[kind], False)
    task.write_readings_to(Record(folder / "record.sqlite"))
    trainer = quick(
        max_epochs=rollouts, callbacks=[Checkpointer(folder, *task.best_metric)], plugins=[AtomicCheckpointIO()]
    )
    last = str(folder / "last.ckpt") if resume else None
    trainer.fit(task, datamodule=Rollouts(1), ckpt_path=last, weights_only=True)
    return task


@pytest.mark.parametrize("kind", ["PGPE", "TRPO"])
def test_a_resumed_run_goes_on_bit_for_bit(tmp_path, quick, kind):
    whole = train(tmp_path / "whole", quick, kind, 4)
    train(tmp_path / "part", quick, kind, 2)
    part = train(tmp_path / "part", quick, kind, 4, resume=True)
    for name, value in whole.net.state_dict().items():
        assert torch.equal(value, part.net.state_dict()[name]), name
    assert whole.environment_steps == part.environment_steps
    assert readings_of(whole.monitor.record) == readings_of(part.monitor.record)


def test_a_linear_policy_acts_as_each_of_its_rows():
    """Batched twins: K policies at once, and each by itself as the mean."""
    for sizes, bias, continuous in (([], False, False), ([], True, True), ([5, 4], True, False)):
        net = LinearPolicy(identity(continuous).spaces, sizes, bias)
        obs_KD = torch.randn(6, net.layers[0][0])
        parameters_KP = torch.randn(6, len(net.mean_P))
        together = net.act(net.weights(parameters_KP), obs_KD)
        for k in range(6):
            net.mean_P.data = parameters_KP[k]
            torch.testing.assert_close(net.policy(obs_KD[k : k + 1]).mode()[0], together[k])


def test_a_linear_policy_is_matrices_and_biases():
    net = LinearPolicy(identity(True).spaces, [3], bias=True)
    net.mean_P.data = torch.arange(17.0) / 10
    w1, b1, w2, b2 = net.mean_P[:6].view(2, 3), net.mean_P[6:9], net.mean_P[9:15].view(3, 2), net.mean_P[15:]
    x = torch.tensor([[0.3, -0.2]])
    torch.testing.assert_close(net.policy(x).mode(), (x @ w1 + b1).tanh() @ w2 + b2)


def test_what_does_not_fit_is_refused(quick):
    with pytest.raises(InputError, match="value_optimizer: expected one with TRPO"):
        PolicyGradient(identity(False), ActorCritic, TRPO(), NATURAL)
    with pytest.raises(InputError, match="value_optimizer: expected none with PPO"):
        PolicyGradient(identity(False), ActorCritic, PPO(), ADAM, value_optimizer=ADAM)
    with pytest.raises(InputError, match="even number"):
        quick(max_epochs=1, limit_val_batches=0).fit(exploring(False, 5), datamodule=Rollouts(1))
    with pytest.raises(InputError, match="take another than NaturalGradient"):
        task = PolicyGradient(identity(False), ActorCritic, PPO(), NATURAL)
        quick(max_epochs=1, limit_val_batches=0).fit(task, datamodule=Rollouts(1))


def test_normalised_advantages_change_the_length_of_a_plain_step_alone():
    net = LinearPolicy(identity(False).spaces)
    torch.manual_seed(1)
    parameters_KP, returns_K = PGPE().policies(net, 8), torch.randn(8).double()
    plain, normal = (PGPE(normalise=n).samples(net, parameters_KP, returns_K).advantages_K for n in (False, True))
    torch.testing.assert_close(normal * plain.std(), plain, rtol=1e-5, atol=1e-6)
