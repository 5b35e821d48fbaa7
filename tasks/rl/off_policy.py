"""Q-learning: step the environments, keep what happened, update on a sample of all that is kept.

Legend: B = environments, N = transitions of a minibatch, E = episodes.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any, Protocol

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from tasks.rl.agent import Agent
from tasks.rl.environments.environment import Environment
from tasks.rl.environments.nonfinite import dumping, refuse_nonfinite_gradient, run_folder_of
from tasks.rl.environments.spaces import Spaces
from tasks.rl.evaluation import Evaluation, testing
from tasks.rl.explain import agent_sections, explanation_sections
from tasks.rl.exploration import Exploration, random_actions
from tasks.rl.pages.training_sections import training_sections
from tasks.rl.q_samples import QSamples
from tasks.rl.readings import episode_readings
from tasks.rl.replay.replay import Replay
from tasks.rl.replay.transitions import Transitions
from tasks.rl.rollout import Collector, Episodes, collector_of
from tasks.rl.schedule import refuse_epoch_schedule
from zoo.errors import InputError
from zoo.reports import Section
from zoo.training.task import TaskModule


class Algorithm(Protocol):
    """What an algorithm of Q-learning says; its hyper-parameters are its fields."""

    def refuse_unfit(self, net: nn.Module, n_step: int) -> None:
        """Raise where it cannot train this net."""

    def agent(self, net: nn.Module) -> Agent:
        """Its greedy actions, what they rest on, and their value."""

    def samples(self, net: nn.Module, target: nn.Module, transitions: Transitions) -> QSamples:
        """Transitions with their targets, without autograd."""

    def terms_and_errors(self, net: nn.Module, samples: QSamples) -> tuple[dict[str, Tensor], Tensor]:
        """Named terms whose sum is minimised, and the errors [N] by which transitions are replayed."""


class QLearning(TaskModule):
    """An agent that learns what its actions are worth, from all that it remembers.

    One batch is `train_every` steps of every environment and then `updates` optimiser steps, whose transitions are
    drawn and whose targets are computed together before the first of them. The first batch steps the environments at
    random until there are `warmup` transitions.

    Args:
        environment: where it lives.
        net: makes the net from the environment's spaces.
        algorithm: from `tasks.rl.algorithms`.
        optimizer: see `TaskModule`.
        exploration: from `tasks.rl.exploration`; None with noisy nets.
        replay: what it remembers.
        train_every: steps of every environment in a batch.
        updates: optimiser steps in a batch.
        batch_size: transitions of an optimiser step.
        warmup: transitions before the first of them.
        target_every: batches from one update of the target net to the next.
        target_rate: target <- target + rate (net - target); 1 copies the net.
        discount: gamma.
        reward_scale: Q learns from rewards times this; figures stay in the environment's own. NAF needs values of
            about 10: while V is far off, mu and L are driven to the edge of their range.
        evaluation_episodes: greedy episodes of each evaluation.
        kwargs: further arguments of `TaskModule`.
    """

    fixed_objective = False
    best_metric = ("val/return", "max")

    def __init__(
        self,
        environment: Environment,
        net: Callable[[Spaces], nn.Module],
        algorithm: Algorithm,
        optimizer: OptimizerCallable,
        replay: Replay,
        exploration: Exploration | None = None,
        train_every: int = 1,
        updates: int = 1,
        batch_size: int = 64,
        warmup: int = 1000,
        target_every: int = 1,
        target_rate: float = 0.005,
        discount: float = 0.99,
        reward_scale: float = 1.0,
        evaluation_episodes: int = 20,
        **kwargs: Any,
    ):
        super().__init__(net(environment.spaces), optimizer, **kwargs)
        self.automatic_optimization = False
        self.environment, self.algorithm, self.exploration, self.replay = environment, algorithm, exploration, replay
        self.train_every, self.updates, self.batch_size, self.warmup = train_every, updates, batch_size, warmup
        self.target_every, self.target_rate, self.discount = target_every, target_rate, discount
        self.reward_scale, self.evaluation = reward_scale, Evaluation(environment, evaluation_episodes)
        self._refuse_unfit()
        self.target = deepcopy(self.net).requires_grad_(False)
        self.collector: Collector | None = None
        self._errors_N: Tensor | None = None
        self._collected: dict[str, Any] | None = None  # the collector's state in the checkpoint that is resumed

    def _refuse_unfit(self) -> None:
        counts = {
            name: getattr(self, name) for name in ("train_every", "updates", "batch_size", "warmup", "target_every")
        }
        for name, value in counts.items():
            if value < 1:
                raise InputError(f"model.{name}: expected 1 or more, got {value}; mend the recipe")
        if self.reward_scale <= 0:
            raise InputError(f"model.reward_scale: expected above 0, got {self.reward_scale}; mend the recipe")
        if not 0 < self.target_rate <= 1 or not 0 <= self.discount <= 1:
            raise InputError(
                "model: expected 0 < target_rate <= 1 and 0 <= discount <= 1, got "
                f"{self.target_rate} and {self.discount}; mend the recipe"
            )
        if self.warmup > self.replay.capacity:
            raise InputError(
                f"model.warmup: expected no more than replay.capacity, got {self.warmup} and {self.replay.capacity}; "
                "enlarge the capacity"
            )
        self.algorithm.refuse_unfit(self.net, self.replay.n_step)
        self._refuse_exploration(getattr(self.net, "noisy", False), self.environment.spaces.kind)

    def _refuse_exploration(self, noisy: bool, kind: str) -> None:
        if self.exploration is None and not noisy:
            raise InputError("model.exploration: expected one, since the net is not noisy, got none; add it")
        if self.exploration is not None and kind not in self.exploration.kinds():
            raise InputError(
                f"model.exploration: expected one for {kind} actions, got {type(self.exploration).__name__}; "
                "take EpsilonGreedy for discrete actions, GaussianNoise or OrnsteinUhlenbeck for a box"
            )

    def loss(self, net: nn.Module, batch: QSamples) -> dict[str, Tensor]:
        """The algorithm's terms."""
        terms, errors_N = self.algorithm.terms_and_errors(net, batch)
        if net is self.net:  # a probe's look at other parameters must not change priorities
            self._errors_N = errors_N
        return terms

    def on_fit_start(self) -> None:
        """Make the environments."""
        super().on_fit_start()
        refuse_epoch_schedule(self.trainer)
        if self.collector is None:
            self.make_collector()

    def make_collector(self) -> None:
        """Environments, reset by a seed of the run, or put back to where a checkpoint found them."""
        self.collector = collector_of(self.environment, self.discount, self._collected)

    def training_step(self, batch: int, batch_idx: int) -> None:
        """Some steps of the environments and all their updates."""
        with dumping(run_folder_of(self)):
            self._step_and_learn()
        if schedule := self.lr_schedulers():
            schedule.step()

    def _step_and_learn(self) -> None:
        missing = self.warmup - self.collector.steps
        steps = max(self.train_every, -(-missing // self.environment.count))
        rollout, episodes = self.collector.collect(self.tried_actions, steps)
        if self.reward_scale != 1:
            rollout = replace(rollout, rewards_TB=self.reward_scale * rollout.rewards_TB)
        self.replay.add(rollout)
        self.net.observe(rollout)
        self._learn(self.replay.sample(self.updates * self.batch_size))
        if self.trainer.global_step // self.updates % self.target_every == 0:
            follow(self.target, self.net, self.target_rate)
        self._read(episodes)

    @property
    def environment_steps(self) -> int:
        """Transitions so far, over all environments."""
        return self.collector.steps if self.collector else 0

    def tried_actions(self, obs_B: Tensor) -> Tensor:
        """Random ones during warmup, then the best ones with exploration."""
        spaces, step = self.environment.spaces, self.collector.steps
        if step < self.warmup:
            return random_actions(spaces, len(obs_B))
        best_B = self.best_actions(obs_B)
        return self.exploration.tried(best_B, spaces, step, self.collector.ended_B) if self.exploration else best_B

    @torch.no_grad()
    def best_actions(self, obs_B: Tensor) -> Tensor:
        """Greedy ones; in training mode a noisy net draws its noise."""
        return self.agent().act(obs_B.to(self.device)).cpu()

    def _learn(self, transitions: Transitions) -> None:
        on_device = transitions.to(self.device)
        errors = []
        for minibatch in self.algorithm.samples(self.net, self.target, on_device).split(self.batch_size):
            self.optimise(minibatch, lambda one=minibatch: self.objective(one))
            errors.append(self._errors_N)
        refuse_nonfinite_gradient(self, self.environment.id, self.environment_steps, transitions._asdict())
        self.replay.reweigh(transitions.index_N, torch.cat(errors))

    def _read(self, episodes: Episodes) -> None:
        values = {"environment_steps": torch.tensor(float(self.environment_steps)), **episode_readings(episodes)}
        self.monitor.add(self.trainer.global_step - 1, values)

    def agent(self) -> Agent:
        """For `zoo play` and `zoo explain`."""
        agent, scale = self.algorithm.agent(self.net), self.reward_scale
        return agent if scale == 1 else replace(agent, value=lambda obs: agent.value(obs) / scale)

    def report_sections(self, data: Any) -> list[Section]:
        """How it learned, and what it does now."""
        return [*training_sections(self.monitor.record), *agent_sections(self.agent(), self.environment)]

    explain_options = ("choose", "examples")

    def explain_sections(self, data: Any, choose: str | None = None, count: int = 10) -> list[Section]:
        """What actions and values rest on."""
        return explanation_sections(self.agent(), self.environment, self.discount, choose, count)

    def evaluate(self, net: nn.Module, batch: int) -> dict[str, Tensor]:
        """Return [E] and length [E] of greedy episodes; those of the test start elsewhere than those of validation."""
        greedy = self.algorithm.agent(net).act

        def act(obs_E: Tensor) -> Tensor:
            return greedy(obs_E.to(self.device)).cpu()

        return self.evaluation.figures(act, testing(self))

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Greedy episodes."""
        self._means.add(self.evaluate(self.net, batch), self.evaluation.episodes)

    test_step = validation_step

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """See `TaskModule`; where the environments stand is part of a checkpoint, and the memory of the last one: the
        best is played and explained, which needs no memory."""
        super().on_save_checkpoint(checkpoint)
        if not checkpoint.get("is_best", False):
            checkpoint["replay"] = self.replay.state_dict()
        if self.collector is not None:
            checkpoint["collector"] = self.collector.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """See `TaskModule`; only a fit takes up the memory and goes on in the middle of its episodes."""
        super().on_load_checkpoint(checkpoint)
        if self._trainer is not None and self.trainer.state.fn == "fit":
            refuse_without_memory(checkpoint)
            self.replay.load_state_dict(checkpoint["replay"])
            self._collected = checkpoint["collector"]


def refuse_without_memory(checkpoint: dict[str, Any]) -> None:
    """A best.ckpt, which one cannot go on from.

    Raises:
        InputError: it is one.
    """
    if "replay" not in checkpoint:
        raise InputError(
            "resume: expected a checkpoint with its replay memory, got one without, as best.ckpt is (it is there to "
            "play and to explain); resume from last.ckpt"
        )


@torch.no_grad()
def follow(target: nn.Module, net: nn.Module, rate: float) -> None:
    """target <- target + rate (net - target), parameter by parameter; buffers are copied."""
    torch._foreach_lerp_(list(target.parameters()), list(net.parameters()), rate)
    for theirs, ours in zip(target.buffers(), net.buffers(), strict=True):
        theirs.copy_(ours)
