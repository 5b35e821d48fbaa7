"""Policy gradients: collect a rollout with the newest policy, update on it, throw it away."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from tasks.rl.environments import Environment
from tasks.rl.evaluation import played
from tasks.rl.losses import approximate_kl
from tasks.rl.returns import explained_variance
from tasks.rl.rollout import Collector, Episodes, Rollout
from tasks.rl.samples import Samples
from tasks.rl.spaces import Spaces
from zoo.errors import InputError
from zoo.training.task import TaskModule


class Algorithm(Protocol):
    """What a policy-gradient algorithm says; its hyper-parameters are its fields."""

    def samples(self, net: nn.Module, rollout: Rollout) -> Samples:
        """Valid steps with what they teach, by one pass of the net."""

    def minibatches_of(self, samples: Samples) -> Iterator[Samples]:
        """One for each optimiser step, in their order."""

    def loss(self, net: nn.Module, samples: Samples) -> dict[str, Tensor]:
        """Named terms whose sum is minimised."""


class PolicyGradient(TaskModule):
    """An agent that learns from what its present policy has just done.

    Args:
        environment: where it lives.
        net: makes the net from the environment's spaces; it has `policy`, `value` and `policy_and_value`.
        algorithm: from `tasks.rl.algorithms`.
        optimizer: see `TaskModule`.
        rollout_steps: steps of every environment in one rollout.
        discount: gamma.
        evaluation_episodes: greedy episodes of each evaluation.
        kwargs: further arguments of `TaskModule`.
    """

    best_metric = ("val/return", "max")

    def __init__(
        self,
        environment: Environment,
        net: Callable[[Spaces], nn.Module],
        algorithm: Algorithm,
        optimizer: OptimizerCallable,
        rollout_steps: int = 128,
        discount: float = 0.99,
        evaluation_episodes: int = 20,
        **kwargs: Any,
    ):
        if not 0 <= discount <= 1 or rollout_steps < 1 or evaluation_episodes < 1:
            raise InputError(
                "model: expected 0 <= discount <= 1 and rollout_steps, evaluation_episodes >= 1, got "
                f"{discount}, {rollout_steps} and {evaluation_episodes}; mend the recipe"
            )
        super().__init__(net(environment.spaces), optimizer, **kwargs)
        self.automatic_optimization = False
        self.environment, self.algorithm = environment, algorithm
        self.rollout_steps, self.discount = rollout_steps, discount
        self.evaluation_episodes = evaluation_episodes
        self.collector: Collector | None = None
        self.evaluation_seconds = 0.0

    def loss(self, net: nn.Module, batch: Samples) -> dict[str, Tensor]:
        """The algorithm's terms."""
        return self.algorithm.loss(net, batch)

    def on_fit_start(self) -> None:
        """Make the environments."""
        super().on_fit_start()
        if self.collector is None:
            seed = int(torch.randint(2**31, ()))
            name = self.environment.id
            self.collector = Collector(self.environment.vector(), self.environment.spaces, self.discount, seed, name)

    def training_step(self, batch: int, batch_idx: int) -> None:
        """One rollout and all its updates."""
        rollout, episodes = self.collector.collect(self.sampled_actions, self.rollout_steps)
        samples = self.algorithm.samples(self.net, rollout)
        for minibatch in self.algorithm.minibatches_of(samples):
            self.optimise(minibatch, lambda one=minibatch: self.objective(one))
        self.net.update_statistics(samples.obs_N)
        self._read(samples, episodes)

    @property
    def environment_steps(self) -> int:
        """Transitions so far, over all environments."""
        return self.collector.steps if self.collector else 0

    def sampled_actions(self, obs_B: Tensor) -> Tensor:
        """Drawn from the policy."""
        return self.net.policy(obs_B).sample()

    @torch.no_grad()
    def _read(self, samples: Samples, episodes: Episodes) -> None:
        policy = self.net.policy(samples.obs_N)
        values = {
            "environment_steps": torch.tensor(float(self.environment_steps)),
            "entropy": policy.entropy().mean(),
            "kl": approximate_kl(policy.log_prob(samples.actions_N) - samples.log_probs_N),
            "explained_variance": explained_variance(samples.values_N, samples.targets_N),
        }
        if episodes.returns:
            values["return"] = torch.tensor(episodes.returns).mean()
            values["length"] = torch.tensor(episodes.lengths, dtype=torch.float).mean()
        self.monitor.add(self.trainer.global_step - 1, values)

    def evaluate(self, net: nn.Module, batch: int) -> dict[str, Tensor]:
        """Return [E] and length [E] of greedy episodes; those of the test start elsewhere than those of validation."""
        started = time.process_time()
        seed = 2 if self._trainer is not None and self.trainer.testing else 1
        seen = played(self.environment, lambda obs: net.policy(obs).mode(), self.evaluation_episodes, seed)
        self.evaluation_seconds += time.process_time() - started
        return {"return": torch.from_numpy(seen.returns_E), "length": torch.from_numpy(seen.lengths_E)}

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Greedy episodes."""
        self._means.add(self.evaluate(self.net, batch), self.evaluation_episodes)

    test_step = validation_step
