"""Agents trained as `zoo fit` trains them, watched: returns of every evaluation, steps and CPU seconds without them."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from pytorch_lightning import Callback

from tasks.rl.evaluation import TEST_SEED, played
from tests.benchmarks.results import ROOT
from zoo.training.config_cli import make
from zoo.training.configuration import merged, read_yaml
from zoo.training.task import TaskModule


@dataclass
class Curve:
    """Evaluations of one run."""

    steps: list[int] = field(default_factory=list)  # of the environments, at each evaluation
    returns: list[float] = field(default_factory=list)  # greedy mean
    seconds: list[float] = field(default_factory=list)  # CPU seconds of training until then, evaluations not counted

    def solved_at(self, least: float, sustained: int = 3) -> int | None:
        """Evaluation that begins the first `sustained` in a row with at least `least`."""
        good = [value >= least for value in self.returns]
        return next((i for i in range(len(good) - sustained + 1) if all(good[i : i + sustained])), None)


class Watch(Callback):
    """Keeps the curve of a run and ends it once it is solved."""

    def __init__(self, least: float = float("inf"), sustained: int = 3):
        self.curve, self.least, self.sustained = Curve(), least, sustained
        self._started = 0.0

    def on_train_start(self, trainer, pl_module) -> None:
        """The clock starts after imports and construction."""
        self._started = time.process_time()

    def on_validation_end(self, trainer, pl_module) -> None:
        """Note one evaluation."""
        self.curve.seconds.append(time.process_time() - self._started - pl_module.evaluation.seconds)
        self.curve.steps.append(pl_module.environment_steps)
        self.curve.returns.append(float(trainer.callback_metrics["val/return"]))
        if self.curve.solved_at(self.least, self.sustained) is not None:
            trainer.should_stop = True


def curve_of(
    recipe: str, seed: int, overrides: dict[str, str] | None = None, least: float = float("inf"), sustained: int = 3
) -> Curve:
    """Train a recipe of configs/rl; ends early once `least` stood for `sustained` evaluations."""
    return trained(recipe, seed, overrides, least, sustained)[1]


def trained(
    recipe: str, seed: int, overrides: dict[str, str] | None = None, least: float = float("inf"), sustained: int = 3
) -> tuple[TaskModule, Curve]:
    """As above, the trained task with its curve."""
    tree = merged(read_yaml(Path(ROOT) / "configs" / "rl" / f"{recipe}.yaml"), {"seed_everything": seed})
    parts = make(tree, list((overrides or {}).items()))
    watch = Watch(least, sustained)
    parts.trainer.callbacks.append(watch)
    parts.trainer.fit(parts.task, datamodule=parts.data)
    return parts.task, watch.curve


def tested_return(task: TaskModule, episodes: int = 100) -> float:
    """Greedy mean return from the test's starts, which no evaluation of a fit has seen."""
    return float(played(task.environment, task.eval().agent().act, episodes, TEST_SEED).returns_E.mean())
