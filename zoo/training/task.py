"""TaskModule, the one base class: a task says its loss and how it is judged; everything else is written once here."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from zoo.derivatives import residual_jacobian
from zoo.derivatives.jacobian_products import jacobian_products, stacked
from zoo.errors import InputError
from zoo.optim.clipping import Clipping
from zoo.optim.constraints import Constraint
from zoo.optim.decay import optimizer_for
from zoo.optim.fisher import Divergence
from zoo.optim.penalties import Penalty
from zoo.optim.phases import Phases
from zoo.optim.quasi_newton import QuasiNewton
from zoo.optim.sam import SAM
from zoo.training.door import GradientDoor
from zoo.training.evaluation import Means, batch_size
from zoo.training.monitor import GradientMonitor, MonitorOptions
from zoo.training.random_state import torch_state
from zoo.training.record import Record
from zoo.training.step import Probe, Step, loss_at

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
        self.clipping = clipping
        self.penalties = penalties or []
        names = [penalty.name for penalty in self.penalties]
        if len(set(names)) < len(names):
            raise InputError(
                f"model.penalties: expected each kind once, got {', '.join(names)}; add up their strengths"
            )
        self.constraints = constraints or []
        self.probes = probes or []
        self.monitor = GradientMonitor(monitor)
        self._make_optimizer, self._make_scheduler = optimizer, scheduler
        self._schedule_interval, self._plateau_metric = schedule_interval, plateau_metric
        self._decay_norms_and_biases = decay_norms_and_biases
        self._door = GradientDoor(net, self.monitor, clipping)
        self._micro_batches: list[tuple[Any, list[Tensor]]] = []
        self._means = Means()
        self.recent_loss: float | None = None

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
        with self.monitor.pausing():  # a penalty may run the net again; the layers' readings are of the loss
            for penalty in self.penalties:
                terms[penalty.name] = penalty(net, *self.loss_of_inputs(net, batch))
        return terms

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """One forward of automatic optimisation, watched when this step is sampled; or one step of least squares."""
        if not self.automatic_optimization:
            return self.optimise(batch, lambda: self.objective(batch))
        return self.watched_loss(batch, lambda: self.objective(batch))

    def watched_loss(self, batch: Any, terms_of: Callable[[], dict[str, Tensor]]) -> Tensor:
        """Sum of the terms, with layers, terms and term gradients read on the first evaluation of a step."""
        step = self.trainer.global_step
        if not self._door.first_pass(step):
            return sum(terms_of().values())
        if not self.monitor.samples(step):
            terms = terms_of()
        else:
            if self.probes:
                self._micro_batches.append((batch, torch_state()))
            with self.monitor.watching(self.net, step):
                terms = terms_of()
            if len(terms) > 1:
                trained = [parameter for parameter in self.net.parameters() if parameter.requires_grad]
                self.monitor.read_term_gradients(terms, trained)
        self.monitor.read_terms(terms)
        return sum(terms.values())

    def optimise(self, batch: Any, terms_of: Callable[[], dict[str, Tensor]], optimizer: Any = None) -> None:
        """One optimiser step of manual optimisation; the gradients pass the same door as automatic ones.

        Args:
            batch: what the terms are computed on.
            terms_of: computes the loss terms; called again by optimisers that evaluate several times a step.
            optimizer: one of `self.optimizers()`; the only one by default.
        """
        optimizer = optimizer or self.optimizers()

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = self.watched_loss(batch, terms_of)
            self.manual_backward(loss)
            return loss

        if getattr(optimizer.optimizer, "wants_residuals", False):
            optimizer.step(lambda: self._linearised(batch, optimizer.optimizer))
        elif getattr(optimizer.optimizer, "wants_divergence", False):
            divergence = self.divergence(self.net, batch)
            # Without gradients a trial step asks for values alone.
            optimizer.step(
                lambda: (closure() if torch.is_grad_enabled() else sum(terms_of().values()).detach(), divergence)
            )
        else:
            optimizer.step(closure)

    def _linearised(self, batch: Any, optimizer: Optimizer) -> tuple[Tensor, Any]:
        """All residuals in one column [R] and, with gradients on, their Jacobian [R, P], a matrix or products with
        it; dL/dtheta = 2 J'r is left in `.grad`, where the door reads it."""
        blocks = self.residuals(self.net, batch)
        if not torch.is_grad_enabled():
            return torch.cat([block().flatten() for block in blocks.values()]), None
        trained = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
        products = getattr(optimizer, "wants_products", False)
        jacobian_of, joined = (jacobian_products, stacked) if products else (residual_jacobian, torch.cat)
        pairs = {name: jacobian_of(block, trained) for name, block in blocks.items()}
        residuals_R = torch.cat([rows.flatten() for rows, _ in pairs.values()])
        parts = [jacobian for _, jacobian in pairs.values()]
        jacobian_RP = parts[0] if len(parts) == 1 else joined(parts)
        self.monitor.read_terms({name: rows.square().sum() for name, (rows, _) in pairs.items()})
        if len(pairs) > 1 and self._trainer is not None and self.monitor.samples(self.trainer.global_step):
            for name, (rows, jacobian) in pairs.items():
                self.monitor.add_term_gradient(name, [2 * (jacobian.t() @ rows.flatten())])
        gradient_P = 2 * (jacobian_RP.t() @ residuals_R)
        for parameter, part in zip(trained, gradient_P.split([p.numel() for p in trained]), strict=True):
            parameter.grad = part.view_as(parameter)
        return residuals_R, jacobian_RP

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """The door. Not to be overridden: a callback's hook of the same name sees the gradient before clipping."""
        step = self.trainer.global_step
        if self._micro_batches and self._door.first_pass(step):
            self._run_probes(step)
        index = next((i for i, one in enumerate(self.trainer.optimizers) if one is optimizer), 0)
        self._door.pass_gradients(optimizer, index, step, self._reduce_mean)

    def _run_probes(self, step: int) -> None:
        batches, states = zip(*self._micro_batches, strict=True)
        self._micro_batches = []
        params = {name: p.detach() for name, p in self.net.named_parameters()}
        grads = {name: p.grad.to_dense() for name, p in self.net.named_parameters() if p.grad is not None}
        reading = Step(step, grads, params, loss_at(self.net, self.objective_of, batches, states))
        for probe in self.probes:
            self.monitor.add(step, probe(reading))

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Flush the readings every `monitor.flush_every` steps."""
        if self.monitor.pending >= self.monitor.options.flush_every:
            self.flush_readings()

    def flush_readings(self) -> None:
        """Write every reading taken so far into the record."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        loss_scale = scaler.get_scale() if scaler is not None else 1.0
        loss = self.monitor.flush(self._reduce_sum, self.trainer.world_size, loss_scale, scaler is None)
        if loss is not None:
            self.recent_loss = loss
            # Not self.log: Lightning refuses it where a checkpoint flushes.
            for logger in self.trainer.loggers:
                logger.log_metrics({"train/loss": loss}, step=self.trainer.global_step)

    def on_train_end(self) -> None:
        """Write what is left."""
        self.flush_readings()

    def configure_optimizers(self) -> dict[str, Any]:
        """The optimiser (weight decay off norms and biases), its constraints and the schedule."""
        optimizer = self.prepared(optimizer_for(self.net, self._make_optimizer, self._decay_norms_and_biases))
        if self._make_scheduler is None:
            return {"optimizer": optimizer}
        return {"optimizer": optimizer, "lr_scheduler": self._schedule(optimizer)}

    def prepared(self, optimizer: Optimizer) -> Optimizer:
        """The optimiser with its readings recorded and constraints kept, unless it does not fit the run."""
        self._refuse_accumulation(optimizer)
        self._refuse_inexact_gradients(optimizer)
        if hasattr(optimizer, "readings"):
            optimizer.register_step_post_hook(lambda *_: self._read_optimizer(optimizer))
        wishes = ("wants_residuals", "wants_divergence")
        if isinstance(optimizer, Phases) or any(getattr(optimizer, wish, False) for wish in wishes):
            self._step_by_hand(optimizer)
        if self.constraints:
            optimizer.register_step_post_hook(lambda *_: self._constrain())
        return optimizer

    def _step_by_hand(self, optimizer: Optimizer) -> None:
        # Least squares asks for residuals, natural gradients for a divergence; Lightning's own closure gives neither.
        self.automatic_optimization = False
        refused = {
            "model.penalties": bool(self.penalties),
            "model.scheduler": self._make_scheduler is not None,
            "trainer.accumulate_grad_batches": self.trainer.accumulate_grad_batches > 1,
        }
        for key, given in refused.items():
            if given:
                raise InputError(f"{key}: expected none with {type(optimizer).__name__}, got it; leave it out")

    def _read_optimizer(self, optimizer: Optimizer) -> None:
        values = {name: torch.tensor(value) for name, value in optimizer.readings.items()}
        self.monitor.add(self.trainer.global_step, values)

    def _refuse_inexact_gradients(self, optimizer: Optimizer) -> None:
        # Line searches and least squares compare values of the loss with gradients of that very loss.
        if not any(getattr(optimizer, name, False) for name in ("wants_residuals", "exact_gradients")):
            return
        name = type(optimizer).__name__
        if self.clipping is not None:
            raise InputError(f"model.clipping: expected none with {name}, got it; leave it out")
        ranks = self._trainer.world_size if self._trainer is not None else 1
        if ranks > 1:
            raise InputError(f"trainer.devices: expected 1 with {name}, got {ranks} processes; take one")

    def _refuse_accumulation(self, optimizer: Optimizer) -> None:
        # Lightning clears gradients before the first of the accumulated batches only: a second evaluation of the
        # last batch would be added to the gradient of the first evaluation.
        batches = self._trainer.accumulate_grad_batches if self._trainer is not None else 1
        if batches > 1 and isinstance(optimizer, (torch.optim.LBFGS, SAM, QuasiNewton)):
            raise InputError(
                f"trainer.accumulate_grad_batches: expected 1 with {type(optimizer).__name__}, which evaluates a batch "
                f"several times a step, got {batches}; take a larger data.batch_size"
            )

    def _schedule(self, optimizer: Optimizer) -> dict[str, Any]:
        wants_steps = takes_total_steps(self._make_scheduler)
        if wants_steps and self._schedule_interval == "epoch":
            raise InputError(
                "model.schedule_interval: expected step with a schedule over all steps of the run, got epoch; "
                "leave it out, or give the schedule total_steps in epochs"
            )
        steps = {"total_steps": self._total_steps()} if wants_steps else {}
        scheduler = self._make_scheduler(optimizer, **steps)
        if isinstance(scheduler, ReduceLROnPlateau):
            data = self.trainer.datamodule
            if self._plateau_metric.startswith("val/") and data is not None and not data.val_dataloader():
                raise InputError(
                    f"model.scheduler: expected validation, since ReduceLROnPlateau looks at {self._plateau_metric}, "
                    "got none; set data.validation above 0"
                )
            return {"scheduler": scheduler, "interval": "epoch", "monitor": self._plateau_metric}
        return {"scheduler": scheduler, "interval": self._schedule_interval}

    def _total_steps(self) -> int:
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf") or steps < 1:
            raise InputError(
                "model.scheduler: expected a run of known length, since the schedule goes over all its steps, got "
                f"{steps} steps; set trainer.max_epochs or trainer.max_steps"
            )
        return int(steps)

    @torch.no_grad()
    def _constrain(self) -> None:
        for constraint in self.constraints:
            constraint(self.net)

    def on_fit_start(self) -> None:
        """Refuse a second door: Lightning's own clipping would change gradients after they were read."""
        if self.trainer.gradient_clip_val is not None:
            raise InputError(
                f"trainer.gradient_clip_val: expected null, got {self.trainer.gradient_clip_val}; "
                "clip with model.clipping, e.g. {class_path: zoo.optim.ByGlobalNorm, init_args: {max_norm: 1.0}}"
            )

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
        self.log_dict(figures)

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


def takes_total_steps(make_scheduler: Callable) -> bool:
    """Whether the scheduler has an argument `total_steps` that the recipe left open.

    >>> from functools import partial
    >>> takes_total_steps(partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1))
    True
    >>> takes_total_steps(partial(torch.optim.lr_scheduler.StepLR, step_size=1))
    False
    """
    keywords = getattr(make_scheduler, "keywords", {})
    if keywords.get("epochs") is not None:  # OneCycleLR's other way to say its length
        return False
    if "total_steps" in keywords:
        return keywords["total_steps"] is None
    try:
        parameter = inspect.signature(make_scheduler).parameters.get("total_steps")
    except (TypeError, ValueError):
        return False
    return parameter is not None and parameter.default in (None, inspect.Parameter.empty)
