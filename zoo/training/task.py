"""TaskModule, the one base class: a task says its loss and how it is judged; everything else is written once, in the
modules beside this one, and called here."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim import Optimizer

from zoo.errors import InputError
from zoo.optim.clipping import Clipping
from zoo.optim.constraints import Constraint
from zoo.optim.decay import optimizer_for
from zoo.optim.fisher import Divergence
from zoo.optim.penalties import Penalty, refuse_twice
from zoo.probes.apart import refuse_shards
from zoo.training.evaluation import Means, batch_size
from zoo.training.example_indices import example_indices
from zoo.training.linearised import linearised, residuals_of
from zoo.training.live_diagnosis import LiveDiagnosis, printed
from zoo.training.manual_step import asked_by, needs_no_lightning, step_directly
from zoo.training.monitor import GradientMonitor, MonitorOptions
from zoo.training.optimizer_checks import (
    refuse_accumulation,
    refuse_beside,
    refuse_inexact_gradients,
    refuse_lightnings_clipping,
    steps_by_hand,
)
from zoo.training.record import Record
from zoo.training.schedule import on_plateau, scheduled
from zoo.training.step import Probe
from zoo.training.watch import Terms, Watch

Score = Callable[[Tensor], Tensor]


class TaskModule(LightningModule, ABC):
    """A net, its loss terms and how both are trained, watched and explained.

    A subclass writes `loss`, and where it has more to say `evaluate`, `attribution_target`, `predict_step` and
    `report_sections`. With `automatic_optimization = False` it writes `training_step` too and steps through
    `optimise`; gradients pass the same door.

    Args:
        net: the module that is trained; every trained parameter is one of its parameters.
        optimizer: makes the optimiser from parameters; no default, so that no default of another one can leak.
        scheduler: makes the learning-rate schedule; an argument `total_steps` left at None is the run's steps.
        schedule_interval: whether the schedule moves every optimiser step or every epoch.
        plateau_metric: what ReduceLROnPlateau looks at, once an epoch.
        clipping: rule from `zoo.optim.clipping`.
        penalties: terms from `zoo.optim.penalties`, added to the loss under their names.
        constraints: projections from `zoo.optim.constraints`, applied after every step.
        decay_norms_and_biases: let weight decay fall on norms and biases too.
        monitor: how often gradients and layers are read.
        probes: functions Step -> numbers, called at the monitor's sampled steps.
    """

    def __init__(
        self,
        net: nn.Module,
        optimizer: OptimizerCallable,
        scheduler: LRSchedulerCallable | None = None,
        schedule_interval: Literal["step", "epoch"] = "step",
        plateau_metric: str = "val/loss",
        clipping: Clipping | None = None,
        penalties: list[Penalty] | None = None,
        constraints: list[Constraint] | None = None,
        decay_norms_and_biases: bool = False,
        monitor: MonitorOptions = MonitorOptions(),  # noqa: B008  frozen
        probes: list[Probe] | None = None,
    ):
        super().__init__()
        self.net = net
        self.penalties, self.constraints = penalties or [], constraints or []
        refuse_twice(self.penalties)
        self.clipping, self.monitor = clipping, GradientMonitor(monitor)
        self._watch = Watch(net, self.monitor, clipping, probes or [])
        self._make_optimizer, self._make_scheduler = optimizer, scheduler
        self._schedule_interval, self._plateau_metric = schedule_interval, plateau_metric
        self._decay_norms_and_biases = decay_norms_and_biases
        self._steps_directly = False  # past Lightning, where it has nothing to do in a manual step
        self._means, self._live = Means(), LiveDiagnosis(printed)
        self.recent_loss: float | None = None

    fixed_objective = True  # False where the loss changes with what the net does, as an agent's own data make it
    best_metric = ("val/loss", "min")  # what decides which checkpoint is best.ckpt

    def __setattr__(self, name: str, value: Any) -> None:
        # Lightning notes the running hook 44 times a step; Module.__setattr__ would spend 0.2 ms a step on that.
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    # What a task says

    @abstractmethod
    def loss(self, net: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Named scalar terms whose sum is the objective; `net` is passed in so that probes can swap parameters."""

    def evaluate(self, net: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Named figures of a batch, each [N] (one an example) or a scalar; reported as means over all examples."""
        terms = self.loss(net, batch)
        return {"loss": sum(terms.values()), **(terms if len(terms) > 1 else {})}

    def residuals(self, net: nn.Module, batch: Any) -> dict[str, Callable[[], Tensor]]:
        """Name of a loss term -> its residuals [N, K], whose sum of squares is the term; for least squares.

        Row n may depend on example n alone. They are functions, so that each is evaluated by itself.
        """
        raise InputError(
            f"model.optimizer: expected one that needs gradients only, since the loss of {type(self).__name__} is not "
            "a sum of squares; take another than LevenbergMarquardt"
        )

    def divergence(self, net: nn.Module, batch: Any) -> Divergence:
        """() -> mean KL divergence from what the net predicts for the batch now to what it predicts when called; for
        natural gradients."""
        raise InputError(
            f"model.optimizer: expected one that needs gradients only, since {type(self).__name__} does not say how "
            "far a step moves its predictions; take another than NaturalGradient and TrustRegion"
        )

    def loss_of_inputs(self, net: nn.Module, batch: Any) -> tuple[Tensor, Score]:
        """The inputs of a batch and the summed loss as a function of them, for penalties on dL/dx."""
        inputs, *rest = batch
        return inputs, lambda changed: sum(self.loss(net, (changed, *rest)).values())

    differentiable_inputs = True  # False: data are looked up at the inputs, so that dL/dinputs is not the loss's own
    opposed_terms: tuple[str, ...] = ()  # loss terms of a game, whose gradient is reversed on its way on purpose

    def attribution_target(self, batch: Any) -> tuple[Tensor, Score]:
        """The inputs of a batch and a score, one number an example, that attributions explain."""
        raise InputError(f"explain: expected a task with an attribution target, got {type(self).__name__}")

    def report_sections(self, data: Any) -> list:
        """Sections that this task adds to the report of a run (zoo.reports.Section); none by default."""
        return []

    explain_options = ("methods", "choose", "examples", "steps")  # of `zoo explain` that the task understands

    def explain_sections(self, data: Any, **options: Any) -> list:
        """Sections of the page that `zoo explain` writes."""
        raise InputError(f"explain: expected a task that explains its answers, got {type(self).__name__}")

    predict_options: tuple[str, ...] = ()  # of `zoo predict` that the task understands beside output

    def answer(self, data: Any, options: dict[str, Any], folder: Path) -> None:
        """Answer what `zoo predict` was given instead of the predict split: print, or write to `output` or `folder`.

        `data` are not set up; they have what they kept in the checkpoint.
        """
        raise InputError(f"predict: expected a task that takes {', '.join(options)}, got {type(self).__name__}")

    # Training

    def objective(self, batch: Any) -> dict[str, Tensor]:
        """Loss terms of the net as it is, penalties included."""
        return self.objective_of(self.net, batch)

    def objective_of(self, net: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Loss terms of a net in this one's place, penalties included."""
        terms = dict(self.loss(net, batch))
        for penalty in self.penalties:
            with self.monitor.pausing():  # it may run the net again; the layers' readings are of the loss
                terms[penalty.name] = penalty(net, *self.loss_of_inputs(net, batch))
        return terms

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """One forward of automatic optimisation, watched when this step is sampled; or one step of least squares."""
        if not self.automatic_optimization:
            return self.optimise(batch, lambda: self.objective(batch))
        return self.watched_loss(batch, lambda: self.objective(batch))

    def watched_loss(self, batch: Any, terms_of: Terms) -> Tensor:
        """Sum of the terms, with layers, terms and term gradients read on the first evaluation of a step."""
        return self._watch.loss(self.trainer.global_step, batch, terms_of)

    def optimise(self, batch: Any, terms_of: Terms, optimizer: Any = None) -> None:
        """One optimiser step of manual optimisation; the gradients pass the same door as automatic ones.

        Args:
            batch: what the terms are computed on.
            terms_of: computes the loss terms; called again by optimisers that evaluate several times a step.
            optimizer: one of `self.optimizers()`; the only one by default.
        """
        optimizer = optimizer or self.optimizers()
        raw = optimizer.optimizer
        directly = self._steps_directly and not self.automatic_optimization
        backward = Tensor.backward if directly else self.manual_backward

        def evaluated() -> Tensor:
            raw.zero_grad()
            loss = self.watched_loss(batch, terms_of)
            backward(loss)
            return loss

        closure = asked_by(
            raw,
            evaluated,
            lambda: sum(terms_of().values()),
            partial(self._linearised, batch, raw),
            partial(self.divergence, self.net, batch),
        )
        if directly:
            step_directly(optimizer, closure, self.on_before_optimizer_step)
        else:
            optimizer.step(closure)

    def _linearised(self, batch: Any, optimizer: Optimizer) -> tuple[Tensor, Any]:
        """All residuals in one column [R] and, with gradients on, their Jacobian [R, P], a matrix or products with
        it; dL/dtheta = 2 J'r is left in `.grad`, where the door reads it."""
        blocks = self.residuals(self.net, batch)
        if not torch.is_grad_enabled():
            return residuals_of(blocks), None
        found = linearised(blocks, optimizer)
        self.monitor.read_terms(found.terms())
        if len(blocks) > 1 and self._trainer is not None and self.monitor.samples(self.trainer.global_step):
            for name, gradient_P in found.term_gradients().items():
                self.monitor.add_term_gradient(name, [gradient_P])
        return found.residuals_R, found.jacobian_RP

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """The door. Not to be overridden: a callback's hook of the same name sees the gradient before clipping."""
        index = next((i for i, one in enumerate(self.trainer.optimizers) if one is optimizer), 0)
        precision = self.trainer.precision_plugin
        self._watch.pass_gradients(
            optimizer,
            index,
            self.trainer.global_step,
            self._reduce_mean,
            self.objective_of,
            ranks=self.trainer.world_size,
            loss_scale=self._loss_scale,
            context=precision.forward_context,
            scaled=getattr(precision, "scaler", None) is not None,
        )

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Flush the readings every `monitor.flush_every` steps."""
        if self.monitor.pending >= self.monitor.options.flush_every:
            self.flush_readings()

    def flush_readings(self) -> None:
        """Write every reading taken so far into the record."""
        scaled = getattr(self.trainer.precision_plugin, "scaler", None) is not None
        loss = self.monitor.flush(self._reduce_sum, self.trainer.world_size, self._loss_scale(), not scaled)
        if loss is not None:
            if self.monitor.options.diagnose and self.trainer.is_global_zero:
                self._live.look(self.monitor.record, self.trainer.global_step)
            self.recent_loss = loss
            # Not self.log: Lightning refuses it where a checkpoint flushes.
            for logger in self.trainer.loggers:
                logger.log_metrics({"train/loss": loss}, step=self.trainer.global_step)

    def _loss_scale(self) -> float:
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        return scaler.get_scale() if scaler is not None else 1.0

    def on_train_end(self) -> None:
        """Write what is left, and say what has not been said."""
        self.flush_readings()
        if self.monitor.options.diagnose and self.trainer.is_global_zero:
            self._live.finish(self.monitor.record)

    def configure_optimizers(self) -> dict[str, Any]:
        """The optimiser (weight decay off norms and biases), its constraints and the schedule."""
        optimizer = self.prepared(optimizer_for(self.net, self._make_optimizer, self._decay_norms_and_biases))
        if self._make_scheduler is None:
            return {"optimizer": optimizer}
        return {"optimizer": optimizer, "lr_scheduler": self._schedule(optimizer)}

    def _schedule(self, optimizer: Optimizer) -> dict[str, Any]:
        made = scheduled(
            self._make_scheduler, optimizer, self._schedule_interval, lambda: self.trainer.estimated_stepping_batches
        )
        return on_plateau(made, self._plateau_metric, self._may_validate)

    def _may_validate(self) -> bool:
        data = self.trainer.datamodule
        return data is None or bool(data.val_dataloader())

    def prepared(self, optimizer: Optimizer) -> Optimizer:
        """The optimiser with its readings recorded and constraints kept, unless it does not fit the run."""
        batches, ranks = 1, 1
        if self._trainer is not None:
            batches, ranks = self.trainer.accumulate_grad_batches, self.trainer.world_size
        refuse_accumulation(optimizer, batches)
        refuse_inexact_gradients(optimizer, self.clipping is not None, ranks)
        if hasattr(optimizer, "readings"):
            optimizer.register_step_post_hook(lambda *_: self._read_optimizer(optimizer))
        if steps_by_hand(optimizer):
            self.automatic_optimization = False
            given = {"model.penalties": bool(self.penalties), "model.scheduler": self._make_scheduler is not None}
            refuse_beside(optimizer, {**given, "trainer.accumulate_grad_batches": batches > 1})
        if self.constraints:
            optimizer.register_step_post_hook(lambda *_: self._constrain())
        return optimizer

    def _read_optimizer(self, optimizer: Optimizer) -> None:
        values = {name: torch.tensor(value) for name, value in optimizer.readings.items()}
        self.monitor.add(self.trainer.global_step, values)

    @torch.no_grad()
    def _constrain(self) -> None:
        for constraint in self.constraints:
            constraint(self.net)

    def on_fit_start(self) -> None:
        """Refuse Lightning's own clipping; find out what a step is made of, and if it needs Lightning."""
        refuse_lightnings_clipping(self.trainer.gradient_clip_val)
        refuse_shards(self.net.named_parameters())
        if not self.fixed_objective:
            self.monitor.add_facts(0, [("", "moving_objective", 1.0)])
        batches = self.trainer.num_training_batches
        if self.automatic_optimization and batches != float("inf"):
            steps = batches / self.trainer.accumulate_grad_batches
            self.monitor.add_facts(0, [("", "batches_per_epoch", float(steps))])
        self._steps_directly = needs_no_lightning(self.trainer, self)
        self._watch.noise.parts = self.trainer.accumulate_grad_batches * self.trainer.world_size
        self._watch.noise.indices_of = partial(example_indices, self.trainer)

    # Evaluation

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The net's own forward."""
        return self.net(*args, **kwargs)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Add one batch to the means of the validation set."""
        self._means.add(self.evaluate(self.net, batch), batch_size(batch))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Add one batch to the means of the test set."""
        self._means.add(self.evaluate(self.net, batch), batch_size(batch))

    def on_validation_epoch_end(self) -> None:
        """Report the means of the validation set."""
        self._report_means("val")

    def on_test_epoch_end(self) -> None:
        """Report the means of the test set."""
        self._report_means("test")

    def _report_means(self, split: str) -> None:
        self.report({f"{split}/{name}": value for name, value in self._means.close(self._reduce_sum).items()})

    def report(self, figures: dict[str, float]) -> None:
        """Write figures to the record, at the last step taken, and to Lightning's loggers and callbacks."""
        step = max(self.trainer.global_step - 1, 0)
        if self.trainer.training or self.trainer.validating:
            self.monitor.record.write([(step, "", name, value) for name, value in figures.items()])
        dtype = torch.float32 if self.device.type == "mps" else torch.float64  # Apple's GPUs have no float64
        self.log_dict({name: torch.tensor(value, dtype=dtype, device=self.device) for name, value in figures.items()})

    # Ranks and checkpoints

    def _reduce_sum(self, tensor: Tensor) -> Tensor:
        return tensor if self.trainer.world_size == 1 else self.trainer.strategy.reduce(tensor, reduce_op="sum")

    def _reduce_mean(self, tensor: Tensor) -> Tensor:
        return tensor if self.trainer.world_size == 1 else self.trainer.strategy.reduce(tensor, reduce_op="mean")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A checkpoint holds every reading up to its step."""
        if self.trainer.state.fn == "fit":
            self.flush_readings()
        checkpoint["monitor"] = self.monitor.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the monitor's state; a resumed fit forgets readings of steps that are about to run again."""
        self.monitor.load_state_dict(checkpoint.get("monitor", {"held": {}}))
        if self._trainer is not None and self.trainer.state.fn == "fit":
            self.monitor.record.truncate(checkpoint["global_step"])

    def write_readings_to(self, record: Record) -> None:
        """Send readings to `record` (a file of the run folder) from now on."""
        self.monitor.record = record
        names = [name for name, _ in self.net.named_parameters()]
        for quantity in ("gradient_norm", "update_norm", "weight_norm"):
            record.declare(names, quantity)
