"""A net that solves a PDE."""

import sys
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from tasks.pde.ansatz import Ansatz, Symmetry
from tasks.pde.data import unit_points
from tasks.pde.explain import found_constants, solution_sections
from tasks.pde.fields import rows_at
from tasks.pde.intervals import constants_estimate, half_widths
from tasks.pde.measurements import Measured, Measurements
from tasks.pde.problem import Condition, Problem, Reference
from zoo.derivatives import Jet, jet_of
from zoo.errors import InputError
from zoo.reports import Section
from zoo.training.task import TaskModule


def slope(u: Jet) -> Tensor:
    """[N]: length of the gradient of all fields along the coordinates but time, as far as the jet carries it."""
    along = [c for c in u.space.space if c in u.space.names]
    if not along:
        return torch.zeros_like(u[""][:, 0])
    return torch.cat([u[c] for c in along], 1).square().sum(1).clamp(min=1e-30).sqrt()


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
        slope_weight: c > 0 trains on residual / sqrt(1 + (c |grad u|)^2), so that a steep layer that is not in its
            place yet does not drown the rest of the domain; zero where the residual is zero. 0 leaves it out.
        unknown: constant of the equation that is to be found from measurements -> its first guess.
        measurements: what the solution is to agree with, as the term "data".
        weights: term ("equation", a condition's name, "data") -> factor of its mean square; 1 by default.
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
        slope_weight: float = 0.0,
        unknown: dict[str, float] | None = None,
        measurements: Measurements | None = None,
        weights: dict[str, float] | None = None,
        **kwargs: Any,
    ):
        ansatz = Ansatz(net, problem, hard_conditions, symmetry, periodic, neumann, unknown)
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
        terms = ["equation", *self.conditions, *(["data"] if measurements else [])]
        self.weights = weights or {}
        if other := set(self.weights) - set(terms):
            raise InputError(
                f"model.weights: expected terms among {', '.join(terms)}, got {min(other)}; mend the recipe"
            )
        self._refuse_unfit_net()
        self._reference: Reference | None = None

    def _refuse_unfit_net(self) -> None:
        points = torch.zeros(2, len(self.problem.coordinates), dtype=next(self.net.parameters()).dtype)
        inputs = self.net._features(jet_of(points, self.problem.space)).shape[1]
        wanted = f"{inputs} inputs and {len(self.problem.fields)} outputs"
        mend = "set model.net's in_features and out_features"
        try:
            with torch.no_grad():
                found = self.net(jet_of(points, self.problem.space)).shape[1]
        except RuntimeError as error:
            reason = str(error).splitlines()[0][:100]
            raise InputError(f"model.net: expected {wanted}, got a net that refuses them ({reason}); {mend}") from error
        if found != len(self.problem.fields):
            raise InputError(f"model.net: expected {wanted}, got {found} outputs; {mend}")

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

    best_metric = ("val/residual", "min")  # the error is for looking at, not for choosing by

    @property
    def reference(self) -> Reference:
        """The problem's own, computed once."""
        if self._reference is None:
            self._reference = self.problem.reference()
        return self._reference

    @cached_property
    def measured(self) -> Measured:
        """The measurements, read once."""
        return self.measurements.read(self.problem, lambda: self.reference)

    # Points and residuals

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor | None:
        """One step on the points that a batch of the unit cube is placed at."""
        return super().training_step(self.placed(batch), batch_idx)

    def placed(self, unit_ND: Tensor) -> dict[str, Tensor]:
        """Name of a term -> the points [N, D] at which it is held."""
        dtype, halved = next(self.net.parameters()).dtype, self.net.halved
        points = {"equation": self.problem.placed(unit_ND, halved)}
        share = unit_ND[: max(1, len(unit_ND) // 4)]  # a face has one dimension less than the domain
        for name, condition in self.conditions.items():
            points[name] = self.problem.placed(share, halved, condition.at)
        if self.measurements:
            points["data"] = self.measured.points_ND
        return {name: points_ND.to(dtype) for name, points_ND in points.items()}

    def residuals(self, net: nn.Module, points: dict[str, Tensor]) -> dict[str, Callable[[], Tensor]]:
        """Name of a term -> its rows, divided by sqrt(N): their sum of squares is the weighted mean square."""

        def scaled(name: str, points_ND: Tensor) -> Tensor:
            rows_NE = self._rows(net, name, points_ND)
            return rows_NE * (self.weights.get(name, 1.0) / len(rows_NE)) ** 0.5

        return {name: partial(scaled, name, points_ND) for name, points_ND in points.items()}

    def _rows(self, net: nn.Module, name: str, points_ND: Tensor) -> Tensor:
        if name == "equation":
            return self._equation_rows(net, points_ND)
        if name == "data":
            return self._data_rows(net, points_ND)
        return self._condition_rows(net, self.conditions[name], points_ND)

    def _equation_rows(self, net: nn.Module, points_ND: Tensor) -> Tensor:
        u = net(jet_of(points_ND, self.problem.space))
        rows_NE = self.problem.residual(u, points_ND, net.constants(len(points_ND)))
        return rows_NE / (1 + (self.slope_weight * slope(u)) ** 2).sqrt()[:, None] if self.slope_weight else rows_NE

    def _condition_rows(self, net: nn.Module, condition: Condition, points_ND: Tensor) -> Tensor:
        space = self.problem.space_asked(condition.residual, "condition")
        u = net(jet_of(points_ND, space))
        return rows_at(condition.residual, u, points_ND, net.constants(len(points_ND)))

    def _data_rows(self, net: nn.Module, points_ND: Tensor) -> Tensor:
        observed_NK = self.observed_at(points_ND, net)[:, self.measured.columns]
        return observed_NK - self.measured.values_NK.to(observed_NK)

    def loss(self, net: nn.Module, points: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weighted mean squares of equation, conditions and misfit of the measurements."""
        return {name: rows().square().sum() for name, rows in self.residuals(net, points).items()}

    # Judging

    def residual_at(self, points_ND: Tensor, net: nn.Module | None = None) -> Tensor:
        """Residual [N, E] of the equation at points of the domain."""
        net = net or self.net
        return self.problem.residual(
            net(jet_of(points_ND, self.problem.space)), points_ND, net.constants(len(points_ND))
        )

    def solution_at(self, points_ND: Tensor) -> Tensor:
        """What the problem observes of the solution, [N, K]."""
        dtype = next(self.net.parameters()).dtype
        with torch.no_grad():
            return torch.cat([self.observed_at(part, self.net) for part in points_ND.to(dtype).split(4096)])

    def observed_at(self, points_ND: Tensor, net: nn.Module) -> Tensor:
        """What the problem observes of a net, [N, K], with gradients."""
        space = self.problem.space_asked(self.problem.observed, "observed", constants=False)
        return rows_at(self.problem.observed, net(jet_of(points_ND, space)), points_ND, {})

    def evaluate(self, net: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        """Root mean squared residual at points not trained on, the relative l2 error against the reference, and the
        constants that are sought."""
        points_ND = self.problem.placed(batch).to(next(net.parameters()).dtype)
        with torch.no_grad():
            residual = self.residual_at(points_ND, net)
        found = {name: parameter.detach() for name, parameter in net.unknown.items()}
        return {"residual": residual.square().mean().sqrt(), "relative_l2": self.relative_error(), **found}

    def interval_half_widths(self) -> dict[str, float]:
        """Half of the 95 % confidence interval of every constant that is sought; see `tasks.pde.intervals`."""
        trained = [p for p in self.net.parameters() if p.requires_grad]
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
        """Points and solution at the reference's points."""
        points_ND = self.reference.points_ND
        return {"points": points_ND, "solution": self.solution_at(points_ND)}

    def report_sections(self, data: Any) -> list[Section]:
        """The solution, its error and the residual as pictures, and the constants that were found."""
        return [*found_constants(self), *solution_sections(self)]
