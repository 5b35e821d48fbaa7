"""A net that solves a PDE."""

import sys
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from tasks.pde.ansatz import Ansatz, Symmetry, refuse_unfit
from tasks.pde.continuation import Continuation
from tasks.pde.data import unit_points
from tasks.pde.explain import found_constants, solution_sections
from tasks.pde.explain_page import explanation
from tasks.pde.guard import guard_sections
from tasks.pde.intervals import constants_estimate, half_widths
from tasks.pde.measurements import Measured, Measurements
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.residuals import condition_rows, equation_rows, observed_rows, refuse_coupled
from tasks.pde.sampling import Adaptive, TimeMarching, time_column
from tasks.pde.weights import Balance, Causal, Terms, Weighting
from tasks.pde.weights.balance import optimizers_of
from zoo.errors import InputError
from zoo.reports import Section
from zoo.training.task import TaskModule

COMPARED = 1024  # points of the check that rows depend on their own point alone


class PhysicsInformed(TaskModule):
    """min over nets of the mean squared residuals of an equation and of the conditions that are not built in.

    Raissi, Perdikaris and Karniadakis (2019). Derivatives to the inputs are jets; the loss is a sum of squares, so
    that Levenberg-Marquardt applies. float64 (`trainer.precision: 64-true`) is meant: in float32 rounding ends the
    descent of the residual early.

    Args:
        problem: equation, domain, conditions and reference.
        net: features [N, F] -> fields [N, K].
        optimizer: see `TaskModule`.
        hard_conditions: build the problem's conditions into the solution.
        symmetry: letter of a coordinate -> "odd" or "even" about the middle of its range.
        periodic: letter of a coordinate -> harmonics that it enters the net by.
        neumann: letter of a coordinate -> harmonics; the solution's slope is zero at both ends.
        waves: letter of a coordinate -> harmonics that enter beside it, where the solution oscillates along it.
        slope_weight: c > 0 trains on residual / sqrt(1 + (c |grad u|)^2), so that a steep layer that is not in its
            place yet does not drown the rest of the domain; zero where the residual is zero. 0 leaves it out.
        unknown: constant of the equation that is to be found from measurements -> its first guess.
        measurements: what the solution is to agree with, as the term "data".
        weights: term ("equation", a condition's name, "data") -> factor of its mean square; 1 by default.
        weighting: rule of `tasks.pde.weights` that finds factors during training; they multiply `weights`.
        causal: weights of the equation's points by time.
        sampling: keep those of a batch's points where the residual or its leverage is large.
        marching: begin with the first times.
        continuation: begin with another value of a constant.
        kwargs: further arguments of `TaskModule`.
    """

    def __init__(
        self,
        problem: Problem,
        net: nn.Module,
        optimizer: OptimizerCallable,
        hard_conditions: bool = True,
        symmetry: dict[str, Symmetry] | None = None,
        periodic: dict[str, int] | None = None,
        neumann: dict[str, int] | None = None,
        waves: dict[str, int] | None = None,
        slope_weight: float = 0.0,
        unknown: dict[str, float] | None = None,
        measurements: Measurements | None = None,
        weights: dict[str, float] | None = None,
        weighting: Weighting | None = None,
        causal: Causal | None = None,
        sampling: Adaptive | None = None,
        marching: TimeMarching | None = None,
        continuation: Continuation | None = None,
        **kwargs: Any,
    ):
        ansatz = Ansatz(net, problem, hard_conditions, symmetry, periodic, neumann, unknown, waves)
        super().__init__(ansatz, optimizer, **kwargs)
        if slope_weight < 0:
            raise InputError(f"model.slope_weight: expected 0 or more, got {slope_weight}; 0 switches it off")
        self.problem, self.slope_weight = problem, slope_weight
        self.measurements, self.half_widths = measurements, {}
        self.conditions: dict[str, Condition] = problem.trained_conditions(hard_conditions, measurements is not None)
        if unknown and measurements is None:
            raise InputError(
                f"model.unknown: expected measurements to find {min(unknown)} from, got none; add model.measurements"
            )
        terms = ("equation", *self.conditions, *(["data"] if measurements else []))
        self.balance = Balance(terms, weights, weighting, causal, problem.bounds)
        self.sampling, self.marching, self.continuation = sampling, marching, continuation
        if continuation:
            continuation.check(problem, unknown or {})
        self._time = time_column(problem.coordinates, self.net.halved) if marching else None
        refuse_unfit(ansatz)
        self._prepared: dict[str, Tensor] | None = None
        self._trained_points: Tensor | None = None

    def configure_optimizers(self) -> dict[str, Any]:
        """See `TaskModule`; weights that the optimiser or the data make meaningless are refused."""
        made = super().configure_optimizers()
        drawn_anew = self.sampling or self.marching or getattr(self.trainer.datamodule, "resample_every", 1) < 2
        self.balance.refuse(made["optimizer"], bool(drawn_anew))
        if any(getattr(one, "wants_residuals", False) for one in optimizers_of(made["optimizer"])):
            self._refuse_coupled_points()
        return made

    def _refuse_coupled_points(self) -> None:
        name = type(self.problem).__name__
        for term, points_ND in self.placed(unit_points(COMPARED, "sobol", 0)).items():
            what = f"{name}.equation" if term == "equation" else f"{name}.conditions[{term!r}]"
            if term != "data":
                refuse_coupled(partial(self._unscaled_rows, self.net, term), points_ND, what)

    def on_fit_start(self) -> None:
        """Say where float32 will end, and read the measurements before the first step."""
        super().on_fit_start()
        if self.measurements:
            _ = self.measured
        if next(self.net.parameters()).dtype != torch.float64:
            print(
                "note: float32 limits how small residual and error can become; trainer.precision: 64-true does not",
                file=sys.stderr,
            )

    differentiable_inputs = False  # starts, references and faces belong to the points that were drawn
    best_metric = ("val/residual", "min")  # the error is for looking at, not for choosing by

    @cached_property
    def reference(self) -> Reference | None:
        """The problem's own, computed once; None where it has none."""
        return self.problem.reference()

    @property
    def trained(self) -> list[Tensor]:
        """The net's parameters that are."""
        return [p for p in self.net.parameters() if p.requires_grad]

    @cached_property
    def measured(self) -> Measured:
        """The measurements, read once."""
        return self.measurements.read(self.problem, lambda: self.reference)

    # Points and residuals

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor | None:
        """One step on the points that a batch of the unit cube is placed at, weights found before it."""
        if self._prepared is None:  # L-BFGS comes here several times a step
            self._prepared = self._points_of_step(batch)
        return super().training_step(self._prepared, batch_idx)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """See `TaskModule`; weights of single points belong to the step's points alone."""
        super().on_train_batch_end(outputs, batch, batch_idx)
        self._trained_points = self._prepared["equation"] if self._prepared else None
        self._prepared, self.net.continued = None, {}
        self.balance.forget_points()

    def _points_of_step(self, batch: Tensor) -> dict[str, Tensor]:
        step = self.trainer.global_step
        if self.continuation:
            name = self.continuation.constant
            self.net.continued = {name: self.continuation.value(self.problem.constants[name], step)}
        if self.marching:
            batch = self.marching.windowed(batch, self._time, step)
        points = self.placed(batch)
        if self.sampling:
            rows = partial(self._rows, self.net, "equation", points["equation"])
            points["equation"] = points["equation"][self.sampling.chosen(rows, self.trained, batch)]
        if not self.balance.idle:
            self.balance.update(step, self.terms(points), points)
            self.monitor.add(step, self.balance.readings())
        return points

    def terms(self, points: dict[str, Tensor]) -> Terms:
        """The terms of the loss before any weight, as rules of weighting look at them."""
        return Terms(self._mean_rows(self.net, points), self.trained)

    def placed(self, unit_ND: Tensor) -> dict[str, Tensor]:
        """Name of a term -> the points [N, D] at which it is held."""
        dtype, halved = next(self.net.parameters()).dtype, self.net.halved
        points = {"equation": self.problem.placed(unit_ND, halved)}
        kept = self.sampling.count(len(unit_ND)) if self.sampling else len(unit_ND)
        share = unit_ND[: max(1, kept // 4)]  # a face has one dimension less than the domain
        for name, condition in self.conditions.items():
            points[name] = self.problem.placed(share, halved, condition.at, condition.on_boundary)
        if self.measurements:
            points["data"] = self.measured.points_ND
        return {name: points_ND.to(dtype) for name, points_ND in points.items()}

    def residuals(self, net: nn.Module, points: dict[str, Tensor]) -> dict[str, Callable[[], Tensor]]:
        """Name of a term -> its rows times sqrt(weight / N): their sum of squares is the weighted mean square."""

        def weighed(name: str, rows: Callable[[], Tensor]) -> Tensor:
            rows_NE = rows()
            return rows_NE * self.balance.factor(name, rows_NE).sqrt()

        return {name: partial(weighed, name, rows) for name, rows in self._mean_rows(net, points).items()}

    def _mean_rows(self, net: nn.Module, points: dict[str, Tensor]) -> dict[str, Callable[[], Tensor]]:
        """Name of a term -> its rows / sqrt(N), whose sum of squares is the mean square."""
        return {name: partial(self._rows, net, name, points_ND) for name, points_ND in points.items()}

    def _rows(self, net: nn.Module, name: str, points_ND: Tensor) -> Tensor:
        return self._unscaled_rows(net, name, points_ND) * (1 / len(points_ND)) ** 0.5

    def _unscaled_rows(self, net: nn.Module, name: str, points_ND: Tensor) -> Tensor:
        if name == "equation":
            return equation_rows(net, points_ND, self.slope_weight)
        if name != "data":
            return condition_rows(net, self.conditions[name], points_ND)
        observed_NK = observed_rows(net, points_ND)[:, self.measured.columns]
        return observed_NK - self.measured.values_NK.to(observed_NK)

    def loss(self, net: nn.Module, points: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weighted mean squares of the terms; not by `residuals`, since a weight against conflicts may be negative."""
        squares = {name: rows().square() for name, rows in self._mean_rows(net, points).items()}
        return {name: (one_NE * self.balance.factor(name, one_NE)).sum() for name, one_NE in squares.items()}

    # Judging

    def residual_at(self, points_ND: Tensor, net: nn.Module | None = None) -> Tensor:
        """Residual [N, E] of the equation at points of the domain."""
        return equation_rows(net or self.net, points_ND)

    def solution_at(self, points_ND: Tensor) -> Tensor:
        """What the problem observes of the solution, [N, K]."""
        dtype = next(self.net.parameters()).dtype
        with torch.no_grad():
            return torch.cat([observed_rows(self.net, part) for part in points_ND.to(dtype).split(4096)])

    def evaluate(self, net: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        """Root mean squared residual at points not trained on, relative l2 error where known, constants sought."""
        points_ND = self.problem.placed(batch).to(next(net.parameters()).dtype)
        with torch.no_grad():
            residual = self.residual_at(points_ND, net)
        error = {} if self.reference is None else {"relative_l2": self.relative_error()}
        found = {name: parameter.detach() for name, parameter in net.unknown.items()}
        return {"residual": residual.square().mean().sqrt(), **error, **found}

    def interval_half_widths(self) -> dict[str, float]:
        """Half of the 95 % confidence interval of every constant that is sought; see `tasks.pde.intervals`."""
        trained = self.trained
        # The equation binds the net between its points too if they are more than the parameters.
        many = unit_points(max(2000, 4 * sum(p.numel() for p in trained)), "sobol", 0)
        rows, unknown = self.residuals(self.net, self.placed(many)), self.net.unknown
        estimate = constants_estimate(rows, trained, list(unknown.values()))
        return dict(zip(unknown, half_widths(estimate).tolist(), strict=True))

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        """With the confidence intervals of the constants that are sought."""
        super().test_step(batch, batch_idx)
        if self.net.unknown:
            self.half_widths = self.interval_half_widths()

    def on_test_epoch_end(self) -> None:
        """With the intervals' half widths as figures."""
        super().on_test_epoch_end()
        self.report({f"test/{name}_half_width": width for name, width in self.half_widths.items()})

    def relative_error(self) -> Tensor:
        """||u - reference|| / ||reference||, never below the error of the reference itself."""
        expected = self.reference.values_NK
        error = (self.solution_at(self.reference.points_ND).double() - expected).norm() / expected.norm()
        return error.clamp(min=self.reference.error)

    def predict_step(self, batch: Tensor, batch_idx: int) -> dict[str, Tensor]:
        """Points and solution at the reference's points; without one at the batch's, placed in the domain."""
        points_ND = self.problem.placed(batch) if self.reference is None else self.reference.points_ND
        return {"points": points_ND, "solution": self.solution_at(points_ND)}

    def report_sections(self, data: Any) -> list[Section]:
        """Whether the loss can be believed, the solution, its error and the residual, and constants that were found."""
        unseen = next(iter(data.val_dataloader()))
        guard = guard_sections(self, self._trained_points, unseen)
        return [*guard, *found_constants(self), *solution_sections(self)]

    explain_options = ("at",)

    def explain_sections(self, data: Any, **options: Any) -> list[Section]:
        """What the solution depends on, and how well it is determined."""
        return explanation(self, **options)
