"""A net that solves a PDE."""

import sys
from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from tasks.pde.ansatz import Ansatz, Symmetry
from tasks.pde.explain import solution_sections
from tasks.pde.problem import Problem, Reference
from zoo.derivatives import Jet, JetSpace, jet_of
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
    """min over nets of the mean squared residual of the equation, conditions and symmetries held exactly by structure.

    Raissi, Perdikaris and Karniadakis (2019). Derivatives to the inputs are jets; the loss is a sum of squares, so
    that Levenberg-Marquardt applies. float64 (`trainer.precision: 64-true`) is meant: in float32 rounding ends the
    descent of the residual early.

    Args:
        problem: equation, domain, conditions and reference.
        net: coordinates [N, D] -> fields [N, K].
        optimizer: see `TaskModule`.
        hard_conditions: build the problem's conditions into the solution.
        symmetry: letter of a coordinate -> "odd" or "even" about the middle of its range.
        slope_weight: c > 0 trains on residual / sqrt(1 + (c |grad u|)^2), so that a steep layer that is not in its
            place yet does not drown the rest of the domain; zero where the residual is zero. 0 leaves it out.
        kwargs: further arguments of `TaskModule`.
    """

    def __init__(
        self,
        problem: Problem,
        net: nn.Module,
        optimizer: OptimizerCallable,
        hard_conditions: bool = True,
        symmetry: dict[str, Symmetry] | None = None,
        slope_weight: float = 0.0,
        **kwargs: Any,
    ):
        if not hard_conditions:
            raise InputError("model.hard_conditions: expected true, got false; soft conditions are not there yet")
        super().__init__(Ansatz(net, problem, hard_conditions, symmetry or {}), optimizer, **kwargs)
        if slope_weight < 0:
            raise InputError(f"model.slope_weight: expected 0 or more, got {slope_weight}; 0 switches it off")
        self.problem, self.slope_weight = problem, slope_weight
        self._refuse_unfit_net()
        self._reference: Reference | None = None

    def _refuse_unfit_net(self) -> None:
        wanted = f"{len(self.problem.coordinates)} inputs and {len(self.problem.fields)} outputs"
        mend = "set model.net's in_features and out_features"
        points = torch.zeros(2, len(self.problem.coordinates), dtype=next(self.net.parameters()).dtype)
        try:
            with torch.no_grad():
                found = self.net(jet_of(points, self.problem.space)).shape[1]
        except RuntimeError as error:
            reason = str(error).splitlines()[0][:100]
            raise InputError(f"model.net: expected {wanted}, got a net that refuses them ({reason}); {mend}") from error
        if found != len(self.problem.fields):
            raise InputError(f"model.net: expected {wanted}, got {found} outputs; {mend}")

    def on_fit_start(self) -> None:
        """Say where float32 will end."""
        super().on_fit_start()
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

    def residuals(self, net: nn.Module, batch: Tensor) -> dict[str, Callable[[], Tensor]]:
        """The equation's, divided by sqrt(N): their sum of squares is the mean square."""
        points_ND = self._points(batch)

        def of_equation() -> Tensor:
            u = net(jet_of(points_ND, self.problem.space))
            rows_NE = self.problem.residual(u, points_ND, self.problem.constants)
            if self.slope_weight:
                rows_NE = rows_NE / (1 + (self.slope_weight * slope(u)) ** 2).sqrt()[:, None]
            return rows_NE / len(rows_NE) ** 0.5

        return {"equation": of_equation}

    def residual_at(self, points_ND: Tensor, net: nn.Module | None = None) -> Tensor:
        """Residual [N, E] of the equation at points of the domain."""
        u = (net or self.net)(jet_of(points_ND, self.problem.space))
        return self.problem.residual(u, points_ND, self.problem.constants)

    def solution_at(self, points_ND: Tensor) -> Tensor:
        """The solution's fields [N, K]."""
        dtype = next(self.net.parameters()).dtype
        with torch.no_grad():
            parts = [
                self.net(jet_of(part.to(dtype), self._values)).coefficients_CNF[0] for part in points_ND.split(4096)
            ]
        return torch.cat(parts)

    @property
    def _values(self) -> JetSpace:
        return JetSpace(self.problem.coordinates, frozenset())

    def _points(self, unit: Tensor) -> Tensor:
        dtype = next(self.net.parameters()).dtype
        return self.problem.placed(unit, tuple(self.net.symmetry)).to(dtype)

    def loss(self, net: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        """Mean squared residual of the equation."""
        return {name: block().square().sum() for name, block in self.residuals(net, batch).items()}

    def evaluate(self, net: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        """Root mean squared residual at points not trained on, and the relative l2 error against the reference."""
        with torch.no_grad():
            residual = self.residual_at(self.problem.placed(batch).to(next(net.parameters()).dtype), net)
        return {"residual": residual.square().mean().sqrt(), "relative_l2": self.relative_error()}

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
        """The solution, its error and the residual as pictures."""
        return solution_sections(self)
