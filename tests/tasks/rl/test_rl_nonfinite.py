"""NaN and infinity end a run with the environment, the step, the layer and the batch they were in."""

import re
from functools import partial

import gymnasium
import numpy as np
import pytest
import torch

from tasks.rl.algorithms import A2C
from tasks.rl.data import Rollouts
from tasks.rl.distributions import DiagonalGaussian
from tasks.rl.environments.environment import Environment
from tasks.rl.networks import ActorCritic
from tasks.rl.task import PolicyGradient
from zoo.errors import InputError
from zoo.training.record import Record

pytestmark = pytest.mark.filterwarnings("ignore:.*WARN")  # gymnasium's checker sees the same


class Breaks(gymnasium.Wrapper):
    """Returns something else once, at one step of the environment with the number `made`."""

    made = 0

    def __init__(self, env, what):
        super().__init__(env)
        self.number, self.what, self.steps = Breaks.made, what, 0
        Breaks.made += 1

    def reset(self, **options):
        observation, info = self.env.reset(**options)
        return observation[:1] if self.what == "first shape" else observation, info

    def step(self, action):
        observation, reward, *rest = self.env.step(action)
        self.steps += 1
        if self.steps == 7 and self.number == 2:  # the first was made for its spaces
            if self.what == "observation":
                observation = np.full_like(observation, np.nan)
            elif self.what == "reward":
                reward = np.inf
            elif self.what == "shape":
                observation = observation[:1]
            elif self.what == "reward shape":
                reward = np.zeros(3)
        return observation, reward, *rest


@pytest.fixture
def breaking():
    """Register an environment that breaks."""

    def make(what):
        Breaks.made = 0
        gymnasium.register(
            "Breaks-v0", entry_point=lambda **_: Breaks(gymnasium.make("Pendulum-v1"), what), disable_env_checker=True
        )
        return Environment("Breaks-v0", count=3)

    yield make
    gymnasium.registry.pop("Breaks-v0", None)


def fit(quick, folder, environment, **options):
    task = PolicyGradient(
        environment, partial(ActorCritic, hidden_sizes=[8]), A2C(), partial(torch.optim.SGD, lr=0.01), 16, **options
    )
    task.write_readings_to(Record(folder / "record.sqlite"))
    quick(max_epochs=2).fit(task, datamodule=Rollouts(2))


@pytest.mark.parametrize(("what", "name", "step"), [("observation", "observations", 7), ("reward", "rewards", 6)])
def test_a_wrapper_that_returns_nan_is_named_with_its_step(tmp_path, quick, breaking, what, name, step):
    said = (
        f"environment Breaks-v0: expected finite {name}, got NaN or infinity in environment 1 at its step {step}; mend"
    )
    with pytest.raises(InputError, match=re.escape(said)) as error:
        fit(quick, tmp_path, breaking(what))
    assert str(error.value).endswith(f"; the batch is in {tmp_path}/nonfinite_batch.pt") and "\n" not in str(
        error.value
    )
    batch = torch.load(tmp_path / "nonfinite_batch.pt", weights_only=True)
    assert (~batch[name][:, 1].isfinite()).view(len(batch[name]), -1).any(1).nonzero()[0] == step
    assert batch["observations"].shape == (17, 3, 3)


@pytest.mark.parametrize("what", ["shape", "first shape", "reward shape"])
def test_a_wrapper_that_returns_a_wrong_shape_is_one_line(tmp_path, quick, breaking, what):
    with pytest.raises(
        InputError, match=r"environment Breaks-v0: expected .* mend the environment or its wrappers"
    ) as error:
        fit(quick, tmp_path, breaking(what))
    assert "\n" not in str(error.value)
    place = {"shape": "environment 1", "first shape": "environment 0", "reward shape": "got "}[what]
    assert place in str(error.value)


class Explodes(ActorCritic):
    """A net whose critic has no gradient at its third update."""

    updates = 0

    def policy_and_value(self, obs_ND):
        policy, values_N = super().policy_and_value(obs_ND)
        if torch.is_grad_enabled():
            self.updates += 1
            if self.updates == 3:
                values_N = values_N * float("inf")
        return policy, values_N


def test_a_gradient_that_is_not_finite_is_named_with_its_layer_and_the_batch_kept(tmp_path, quick):
    task = PolicyGradient(
        Environment("CartPole-v1", count=2),
        Explodes,
        A2C(),
        partial(torch.optim.SGD, lr=0.01),
        16,
        evaluation_episodes=1,
    )
    task.write_readings_to(Record(tmp_path / "record.sqlite"))
    said = r"gradient: expected finite numbers, got NaN or infinity at step 2 in critic\.0\.weight, .*CartPole-v1, step \d+"
    with pytest.raises(InputError, match=said) as error:
        quick(max_epochs=4).fit(task, datamodule=Rollouts(2))
    assert f"the batch is in {tmp_path}/nonfinite_batch.pt" in str(error.value) and "\n" not in str(error.value)
    batch = torch.load(tmp_path / "nonfinite_batch.pt", weights_only=True)
    assert len(batch["obs_N"]) == len(batch["advantages_N"]) > 0
    assert {len(batch[name]) for name in batch} == {len(batch["obs_N"])}


def test_a_policy_without_finite_actions_is_named_before_the_environment(tmp_path, quick):
    class Lost(ActorCritic):
        def policy(self, obs_ND):
            policy = super().policy(obs_ND)
            factors = torch.ones_like(policy.mean_NA)
            factors[1] = float("nan")
            return DiagonalGaussian(policy.mean_NA * factors, policy.log_std_A)

    task = PolicyGradient(Environment("Pendulum-v1", count=2), Lost, A2C(), partial(torch.optim.SGD, lr=0.01), 4)
    said = "expected finite actions, got NaN or infinity in environment 1 at its step 0; mend the policy"
    with pytest.raises(InputError, match=said):
        quick().fit(task, datamodule=Rollouts(2))
