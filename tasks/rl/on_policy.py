"""Policy gradients: collect a rollout with the newest policy, update on it, throw it away."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from tasks.rl.agent import Agent, agent_of_policy, agent_that_remembers
from tasks.rl.algorithms import Recurrent
from tasks.rl.environments.environment import Environment
from tasks.rl.environments.nonfinite import dumping, refuse_nonfinite_gradient, run_folder_of
from tasks.rl.environments.spaces import Spaces
from tasks.rl.evaluation import EXPLANATION_SEED, Evaluation, testing
from tasks.rl.explain import agent_sections, explanation_sections
from tasks.rl.gradient_quality import policy_gradient_noise, quality_readings, refuse_few_environments
from tasks.rl.memory import Memory, remembers
from tasks.rl.pages.large_batch import large_batch_section
from tasks.rl.pages.training_sections import training_sections
from tasks.rl.readings import episode_readings, policy_readings
from tasks.rl.reward_scale import RewardScale
from tasks.rl.rollout import Collector, Episodes, Rollout, collector_of
from tasks.rl.samples import Samples
from tasks.rl.schedule import refuse_epoch_schedule
from zoo.errors import InputError
from zoo.optim.decay import optimizer_for
from zoo.optim.fisher import Divergence
from zoo.reports import Section
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
        optimizer: see `TaskModule`; of the policy alone where the critic has its own.
        rollout_steps: steps of every environment in one rollout.
        discount: gamma.
        evaluation_episodes: greedy episodes of each evaluation.
        scale_rewards: learn from rewards divided by the standard deviation of the discounted return; figures stay in
            the environment's own.
        gradient_quality_every: rollouts from one measurement of the policy gradient's signal and noise to the next;
            0 measures none; by default 10 where 4 environments or more stand side by side and the net does not
            remember.
        value_optimizer: of the critic, for algorithms that fit it by itself (natural gradients, TRPO).
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
        rollout_steps: int = 128,
        discount: float = 0.99,
        evaluation_episodes: int = 20,
        scale_rewards: bool = False,
        gradient_quality_every: int | None = None,
        value_optimizer: OptimizerCallable | None = None,
        **kwargs: Any,
    ):
        if not 0 <= discount <= 1 or rollout_steps < 1:
            raise InputError(
                "model: expected 0 <= discount <= 1 and rollout_steps >= 1, got "
                f"{discount} and {rollout_steps}; mend the recipe"
            )
        made = net(environment.spaces)
        if gradient_quality_every:
            refuse_few_environments(environment.count)
        elif gradient_quality_every is None:
            gradient_quality_every = 10 if environment.count >= 4 and not remembers(made) else 0
        if remembers(made):
            _refuse_unfit(algorithm, gradient_quality_every)
        super().__init__(made, optimizer, **kwargs)
        self._make_value_optimizer = value_optimizer
        self._critic = getattr(algorithm, "critic", None)
        if (self._critic is None) != (value_optimizer is None):
            expected = "none" if self._critic is None else "one"
            raise InputError(
                f"model.value_optimizer: expected {expected} with {type(algorithm).__name__}, which fits the critic "
                f"{'together with the policy' if self._critic is None else 'by itself'}; mend the recipe"
            )
        if self._critic is not None and not hasattr(self.net, "actor_parameters"):
            raise InputError(
                f"model.net: expected an actor and a critic that share nothing with {type(algorithm).__name__}, got "
                f"{type(self.net).__name__}; take tasks.rl.networks.ActorCritic"
            )
        self.gradient_quality_every = gradient_quality_every
        self.automatic_optimization = False
        self.environment, self.algorithm = environment, algorithm
        self.rollout_steps, self.discount = rollout_steps, discount
        self.evaluation = Evaluation(environment, evaluation_episodes)
        self.collector: Collector | None = None
        self.memory: Memory | None = None
        self._collected: dict[str, Any] | None = None  # the collector's state in the checkpoint that is resumed
        self.reward_scale = RewardScale(discount) if scale_rewards else None

    def loss(self, net: nn.Module, batch: Samples) -> dict[str, Tensor]:
        """The algorithm's terms."""
        return self.algorithm.loss(net, batch)

    def divergence(self, net: nn.Module, batch: Samples) -> Divergence:
        """From the policy that collected the rollout, where the algorithm says how it is measured."""
        if not hasattr(self.algorithm, "divergence"):
            return super().divergence(net, batch)
        return lambda: self.algorithm.divergence(net, batch)

    def configure_optimizers(self) -> Any:
        """One optimiser; or one for the policy and one for the critic."""
        if self._critic is None:
            return super().configure_optimizers()
        actor = nn.ParameterList(self.net.actor_parameters())
        makes = ((actor, self._make_optimizer), (self.net.critic, self._make_value_optimizer))
        return [self.prepared(optimizer_for(part, make)) for part, make in makes]

    def on_fit_start(self) -> None:
        """Make the environments, or put them back to where the checkpoint found them."""
        super().on_fit_start()
        refuse_epoch_schedule(self.trainer)
        if self.collector is None:
            self.make_collector()

    def make_collector(self) -> None:
        """Environments, reset by a seed of the run, or put back to where a checkpoint found them."""
        self.collector = collector_of(self.environment, self.discount, self._collected)
        self.memory = Memory(self.net, self.environment.count) if remembers(self.net) else None
        if self.memory is not None and self._collected is not None:
            going_on_B = torch.from_numpy(self.collector.lengths_B > 0)  # episodes may have begun anew instead
            self.memory.state_2BH = self._collected["memory"] * going_on_B[:, None]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Where the environments stand is part of a checkpoint."""
        super().on_save_checkpoint(checkpoint)
        if self.collector is not None:
            remembered = {} if self.memory is None else {"memory": self.memory.state_2BH}
            checkpoint["collector"] = self.collector.state_dict() | remembered

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A fit that goes on will go on in the middle of its episodes."""
        super().on_load_checkpoint(checkpoint)
        if self._trainer is not None and self.trainer.state.fn == "fit":
            self._collected = checkpoint["collector"]

    def training_step(self, batch: int, batch_idx: int) -> None:
        """One rollout and all its updates."""
        with dumping(run_folder_of(self)):
            self._learn_from_a_rollout()

    def _learn_from_a_rollout(self) -> None:
        remembered = self.memory.state_2BH if self.memory else None
        rollout, episodes = self.collector.collect(self.sampled_actions, self.rollout_steps)
        if remembered is not None:
            rollout = replace(rollout, memory_2BH=remembered)
        if self.reward_scale is not None:
            rollout = self.reward_scale(rollout)
        samples = self.algorithm.samples(self.net, rollout)
        if self.gradient_quality_every and self.trainer.fit_loop.total_batch_idx % self.gradient_quality_every == 0:
            noise = policy_gradient_noise(self.net, self.loss, rollout, samples)
            self.monitor.add(self.trainer.global_step, quality_readings(noise))
        self._update(samples)
        refuse_nonfinite_gradient(self, self.environment.id, self.environment_steps, vars(samples))
        if schedule := self.lr_schedulers():  # one step a rollout, as many as the run has
            schedule.step()
        self._read(samples, episodes)
        self.net.update_statistics(samples.obs_N)  # last: KL and the next rollout's policy are of the same statistics

    def _update(self, samples: Samples) -> None:
        optimizers = self.optimizers()
        policy, value = (optimizers, None) if self._critic is None else optimizers
        for minibatch in self.algorithm.minibatches_of(samples):
            self.optimise(minibatch, lambda one=minibatch: self.objective(one), policy)
        if self._critic is not None:
            for minibatch in self._critic.minibatches_of(samples):
                self.optimise(minibatch, lambda one=minibatch: self._critic.loss(self.net, one), value)

    @property
    def environment_steps(self) -> int:
        """Transitions so far, over all environments."""
        return self.collector.steps if self.collector else 0

    def sampled_actions(self, obs_B: Tensor) -> Tensor:
        """Drawn from the policy."""
        if self.memory is not None:
            return self.memory.policy(obs_B, torch.from_numpy(self.collector.ended_B)).sample()
        return self.net.policy(obs_B).sample()

    def _read(self, samples: Samples, episodes: Episodes) -> None:
        steps = {"environment_steps": torch.tensor(float(self.environment_steps))}
        values = {**steps, **policy_readings(self.net, samples), **episode_readings(episodes)}
        self.monitor.add(self.trainer.global_step - 1, values)

    def agent(self) -> Agent:
        """For `zoo play` and `zoo explain`."""
        spaces = self.environment.spaces
        of_net = agent_that_remembers if remembers(self.net) else agent_of_policy
        agent = of_net(self.net, spaces.action_size if spaces.kind == "box" else 0)
        if self.reward_scale is None:
            return agent
        return replace(agent, value=lambda obs: agent.value(obs) / self.reward_scale.moments.scale)

    def report_sections(self, data: Any) -> list[Section]:
        """How it learned, and what it does now."""
        parts = getattr(self.algorithm, "minibatches", 1)
        return [*training_sections(self.monitor.record, parts), *agent_sections(self.agent(), self.environment)]

    explain_options = ("choose", "examples", "rollouts")

    def explain_sections(
        self, data: Any, choose: str | None = None, count: int = 10, rollouts: int | None = None
    ) -> list[Section]:
        """What actions and values rest on; with `rollouts`, the gradient against a large batch."""
        sections = explanation_sections(self.agent(), self.environment, self.discount, choose, count)
        return sections if rollouts is None else [*sections, large_batch_section(self, rollouts, EXPLANATION_SEED)]

    def evaluate(self, net: nn.Module, batch: int) -> dict[str, Tensor]:
        """Return [E] and length [E] of greedy episodes; those of the test start elsewhere than those of validation."""
        policy = Memory(net, self.evaluation.episodes).policy if remembers(net) else net.policy
        return self.evaluation.figures(lambda obs: policy(obs).mode(), testing(self))

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Greedy episodes."""
        self._means.add(self.evaluate(self.net, batch), self.evaluation.episodes)

    test_step = validation_step


def _refuse_unfit(algorithm: Algorithm, gradient_quality_every: int) -> None:
    if gradient_quality_every:
        raise InputError(
            "model.gradient_quality_every: expected 0 with a net that remembers, whose samples belong together, "
            f"got {gradient_quality_every}; leave it out"
        )
    if not isinstance(algorithm, Recurrent):
        raise InputError(
            "model.algorithm: expected tasks.rl.algorithms.Recurrent for a net that remembers, got "
            f"{type(algorithm).__name__}; put it inside one"
        )
