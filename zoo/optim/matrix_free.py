"""Levenberg-Marquardt for nets whose Jacobian or normal equations do not fit: the Jacobian is products only."""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.errors import InputError
from zoo.optim.clipping import positive
from zoo.optim.damped_least_squares import KernelSystem, by_conjugate_gradients
from zoo.optim.flat import trained_parameters
from zoo.optim.linearised import Linearised, linearised
from zoo.optim.nystrom import inverse_near, nystrom
from zoo.optim.sketch import sketched_directions
from zoo.optim.trials import damped_step

Space = Literal["parameters", "residuals", "auto"]
Preconditioner = Literal["nystrom", "sketch"]


class MatrixFreeLevenbergMarquardt(Optimizer):
    """(J'J + damping D) delta = -J'r, D = diag(J'J), without J'J; then w + delta + a / 2 as `LevenbergMarquardt`.

    In the space of parameters by conjugate gradients, preconditioned by D (Jacobi) and a randomised approximation of
    what D leaves: memory of `rank` vectors. In the space of residuals by Cholesky of J D^-1 J' + damping,
    delta = -D^-1 J' (...)^-1 r: R^2 numbers and R^3 / 3 operations, exact, and the better choice where points are
    fewer than parameters.

    With `preconditioner: sketch` the approximation is that of J by random sums of its rows, which cost one product
    with J' however many there are. Then `iterations: 1` is the sketched Gauss-Newton step: the sketch's in place of
    J'J, the gradient exact, and its length that which is best for J itself (Pilanci and Wainwright 2017); more
    iterations make it the exact step. With as many sums as residuals it is exact at once.

    Args:
        params: parameters, all of one dtype; float64 is meant.
        space: where the system is solved; "auto" takes residuals where they are not more than the parameters.
        damping: at the start, relative to D.
        grow: factor of the damping after a refused trial.
        shrink: factor after a taken one.
        accelerate: add the geodesic acceleration, which costs another solution of the system.
        bend: largest ratio of acceleration to velocity.
        trials: refused trials before the step is given up, parameters as before.
        tolerance: relative accuracy of the conjugate gradients.
        iterations: of the conjugate gradients, at most.
        rank: of their preconditioner; 0 is Jacobi alone.
        seed: of its random numbers.
        preconditioner: Nystrom's, as many products with J'J a step as its rank, or as many sums of rows of J.

    Raises:
        InputError: an argument out of its range; `step` without residuals and Jacobian.
    """

    wants_residuals = True
    wants_products = True

    def __init__(
        self,
        params: Iterable,
        space: Space = "auto",
        damping: float = 1e-2,
        grow: float = 3.0,
        shrink: float = 0.3,
        accelerate: bool = True,
        bend: float = 0.75,
        trials: int = 12,
        tolerance: float = 1e-3,
        iterations: int = 200,
        rank: int = 50,
        seed: int = 0,
        preconditioner: Preconditioner = "nystrom",
    ):
        name = type(self).__name__
        if preconditioner not in ("nystrom", "sketch"):
            raise InputError(f"{name}.preconditioner: expected nystrom or sketch, got {preconditioner}; choose one")
        if space not in ("parameters", "residuals", "auto"):
            raise InputError(f"{name}.space: expected parameters, residuals or auto, got {space}; choose one")
        if grow <= 1 or not 0 < shrink < 1 or not 0 < tolerance < 1 or min(trials, iterations, rank + 1) < 1:
            raise InputError(
                f"{name}: expected grow > 1, 0 < shrink < 1, 0 < tolerance < 1, trials and iterations >= 1, rank >= 0, "
                f"got {grow}, {shrink}, {tolerance}, {trials}, {iterations} and {rank}; mend the recipe"
            )
        positive(f"{name}.damping", damping)
        positive(f"{name}.bend", bend)
        defaults = {
            "lr": 1.0,
            "space": space,
            "damping": damping,
            "grow": grow,
            "shrink": shrink,
            "accelerate": accelerate,
            "bend": bend,
            "trials": trials,
            "tolerance": tolerance,
            "iterations": iterations,
            "rank": rank,
            "seed": seed,
            "preconditioner": preconditioner,
        }
        super().__init__(params, defaults)
        self.readings: dict[str, float] = {}

    @torch.no_grad()
    def step(self, closure: Linearised | None = None) -> Tensor:
        """One step; returns |r|^2 before it.

        `self.readings` then holds damping, gain ratio, acceleration ratio, trials, and the iterations of the conjugate
        gradients (0 in the space of residuals).
        """
        residuals_R, jacobian = linearised(closure, self)
        parameters, group = trained_parameters(self), self.param_groups[0]
        state = self.state[group["params"][0]]
        damping, steps = float(state.get("damping", group["damping"])), int(state.get("steps", 0))
        if not residuals_R.isfinite().all():
            self.readings = {
                "damping": damping,
                "gain_ratio": 0.0,
                "acceleration": 0.0,
                "trials": 0.0,
                "iterations": 0.0,
            }
            return residuals_R @ residuals_R
        system, state["steps"] = _System(residuals_R, jacobian, group, steps), steps + 1
        state["damping"], readings = damped_step(closure, system, parameters, damping, group)
        self.readings = {**readings, "iterations": float(system.iterations)}
        return residuals_R.new_tensor(system.cost)


class _System:
    """The damped systems of one linearisation, solved in the space that the group names."""

    def __init__(self, residuals_R: Tensor, jacobian: Any, group: dict[str, Any], steps: int):
        self.residuals_R, self.jacobian, self.iterations = residuals_R, jacobian, 0
        self.cost = float(residuals_R @ residuals_R)
        self._tolerance, self._limit = group["tolerance"], group["iterations"]
        squares_P = jacobian.column_squares()
        # A parameter without any effect still needs a pivot.
        self._scale_P = squares_P.clamp(min=1e-12 * float(squares_P.max().clamp(min=1e-300)))
        fewer = group["space"] == "auto" and len(residuals_R) <= len(squares_P)
        in_residuals = group["space"] == "residuals" or fewer
        self._kernel = KernelSystem(jacobian, self._scale_P, len(residuals_R)) if in_residuals else None
        self._root_P, self._near = self._scale_P.sqrt(), None
        if group["rank"] and not in_residuals:
            generator = torch.Generator().manual_seed(group["seed"] * 1_000_003 + steps)
            if group["preconditioner"] == "sketch":
                self._near = sketched_directions(jacobian, self._root_P, group["rank"], generator)
            else:
                self._near = nystrom(self._scaled_gram, self._root_P, group["rank"], generator)

    def _scaled_gram(self, vector_P: Tensor) -> Tensor:
        """D^-1/2 J'J D^-1/2 v."""
        return (self.jacobian.t() @ (self.jacobian @ (vector_P / self._root_P))) / self._root_P

    def velocity(self, damping: float) -> Tensor | None:
        """The damped Gauss-Newton step."""
        return self.solve(-self.residuals_R, damping)

    def image(self, delta_P: Tensor) -> Tensor:
        """J delta."""
        return self.jacobian @ delta_P

    def predicted(self, delta_P: Tensor, image_R: Tensor) -> float:
        """By how much the linear model says a step lowers |r|^2."""
        return -float((2 * self.residuals_R + image_R) @ image_R)

    def gain(self, move_P: Tensor, trial_R: Tensor) -> float:
        """By how much a move lowers it."""
        return self.cost - float(trial_R @ trial_R)

    def solve(self, b_R: Tensor, damping: float) -> Tensor | None:
        """argmin |J x - b|^2 + damping x'Dx."""
        if self._kernel is not None:
            return self._kernel.solve(b_R, damping)
        near = inverse_near(*self._near, damping) if self._near else lambda v_P: v_P

        def preconditioned(v_P: Tensor) -> Tensor:
            return near(v_P / self._root_P) / self._root_P

        x_P, spent = by_conjugate_gradients(
            self.jacobian, b_R, damping * self._scale_P, preconditioned, self._tolerance, self._limit
        )
        self.iterations += spent
        return x_P
