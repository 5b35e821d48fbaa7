"""Parameter exploration: many perturbed policies play an episode each, side by side, and the best pull the mean."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from tasks.rl.agent import Agent, agent_of_policy
from tasks.rl.algorithms.pgpe import PGPE, Explored
from tasks.rl.environments.environment import Environment
from tasks.rl.environments.nonfinite import refuse_nonfinite_values
from tasks.rl.environments.spaces import Spaces
from tasks.rl.evaluation import Evaluation, Played, episodes_in, testing
from tasks.rl.explain import agent_sections, explanation_sections
from tasks.rl.pages.training_sections import training_sections
from tasks.rl.readings import episode_readings
from tasks.rl.rollout import Episodes
from zoo.optim.fisher import Divergence
from zoo.reports import Section
from zoo.training.task import TaskModule


class ParameterExploring(TaskModule):
    """An agent that explores in the space of its policy's parameters.

    One step is one generation: `environment.count` policies play one whole episode each. Every generation begins with
    a reset whose seed comes from the run's random state, so that a resumed run needs nothing of the environments.

    Args:
        environment: where it lives; its count is the number of policies.
        net: makes the distribution over policies from the environment's spaces.
        algorithm: how returns become a gradient.
        optimizer: see `TaskModule`.
        evaluation_episodes: of the policy at the mean in each evaluation.
        kwargs: further arguments of `TaskModule`.
    """

    fixed_objective = False
    best_metric = ("val/return", "max")

    def __init__(
        self,
        environment: Environment,
        net: Callable[[Spaces], nn.Module],
        optimizer: OptimizerCallable,
        algorithm: PGPE = PGPE(),  # noqa: B008  frozen
        evaluation_episodes: int = 20,
        **kwargs: Any,
    ):
        super().__init__(net(environment.spaces), optimizer, **kwargs)
        self.automatic_optimization = False
        self.environment, self.algorithm = environment, algorithm
        self.evaluation = Evaluation(environment, evaluation_episodes)
        self.vector: Any = None
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def environment_steps(self) -> int:
        """Transitions so far, over all environments."""
        return int(self.steps)

    def loss(self, net: nn.Module, batch: Explored) -> dict[str, Tensor]:
        """The algorithm's terms."""
        return self.algorithm.loss(net, batch)

    def divergence(self, net: nn.Module, batch: Explored) -> Divergence:
        """From the distribution over parameters that was explored."""
        return lambda: self.algorithm.divergence(net, batch)

    def on_fit_start(self) -> None:
        """Make the environments."""
        super().on_fit_start()
        if self.vector is None:
            self.vector = self.environment.vector()

    def training_step(self, batch: int, batch_idx: int) -> None:
        """One generation."""
        parameters_KP = self.algorithm.policies(self.net, self.environment.count)
        seen = self.generation(parameters_KP)
        samples = self.algorithm.samples(self.net, parameters_KP, torch.from_numpy(seen.returns_E))
        self.optimise(samples, lambda: self.objective(samples))
        self._read(seen)

    @torch.no_grad()
    def generation(self, parameters_KP: Tensor) -> Played:
        """An episode of every policy.

        Raises:
            InputError: a reward that is not finite.
        """
        weights, seed = self.net.weights(parameters_KP), int(torch.randint(2**31, ()))
        seen = episodes_in(self.vector, self.environment.spaces, lambda obs: self.net.act(weights, obs), seed)
        refuse_nonfinite_values("return", seen.returns_E, self.environment.id, self.environment_steps)
        self.steps += int(seen.lengths_E.sum())
        return seen

    def _read(self, seen: Played) -> None:
        values = {
            "environment_steps": self.steps.double(),
            "exploration": self.net.log_std_P.detach().exp().mean(),
            **episode_readings(Episodes(seen.returns_E.tolist(), seen.lengths_E.tolist())),
        }
        self.monitor.add(self.trainer.global_step - 1, values)

    def agent(self) -> Agent:
        """For `zoo play` and `zoo explain`: the policy at the mean, which draws nothing."""
        spaces = self.environment.spaces
        return replace(agent_of_policy(self.net, spaces.action_size if spaces.kind == "box" else 0), sample=None)

    def report_sections(self, data: Any) -> list[Section]:
        """How it learned, and what it does now."""
        return [*training_sections(self.monitor.record), *agent_sections(self.agent(), self.environment)]

    explain_options = ("examples",)

    def explain_sections(self, data: Any, count: int = 10) -> list[Section]:
        """What actions rest on."""
        return explanation_sections(self.agent(), self.environment, 1.0, count=count)

    def evaluate(self, net: nn.Module, batch: int) -> dict[str, Tensor]:
        """Return [E] and length [E] of episodes at the mean; the test's start elsewhere than the validation's."""
        return self.evaluation.figures(lambda obs: net.policy(obs).mode(), testing(self))

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Episodes at the mean."""
        self._means.add(self.evaluate(self.net, batch), self.evaluation.episodes)

    test_step = validation_step
