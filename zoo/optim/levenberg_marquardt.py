"""Levenberg-Marquardt with geodesic acceleration, for losses that are sums of squares."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.errors import InputError
from zoo.optim.clipping import positive
from zoo.optim.flat import parameter_vector, trained_parameters
from zoo.optim.linearised import Linearised, linearised
from zoo.optim.normal import NormalSystem
from zoo.optim.orthogonal import OrthogonalSystem
from zoo.optim.trials import damped_step


class LevenbergMarquardt(Optimizer):
    """(J'J + damping D) delta = -J'r, D = diag(J'J); then w + delta + a / 2, a the acceleration along the geodesic.

    The acceleration solves the same system for -J'r'', where r'' is the second derivative of the residuals along
    delta, from one more evaluation (Transtrum and Sethna 2012). A step is taken when it lowers |r|^2 and
    2 |a/2| <= bend |delta|; otherwise the damping grows and the factorisation alone is done again. After a taken step
    it shrinks where the linear model held well (gain ratio above 3/4, acceleration below half of `bend`) and grows
    where it held badly (below 1/4).

    With `memory` earlier batches are not forgotten: their linear least squares, discounted by that factor a step, is
    carried along and added to the present one, as in recursive least squares (Ljung and Soderstrom 1983). A batch then
    counts as 1 / (1 - memory) batches, for the price of its own; meant for points that are drawn anew every step.

    Args:
        params: parameters, all of one dtype; float64 is meant.
        damping: at the start, relative to D.
        grow: factor of the damping after a refused trial.
        shrink: factor after a taken one.
        accelerate: add the geodesic acceleration.
        bend: largest ratio of acceleration to velocity.
        trials: refused trials before the step is given up, parameters as before.
        memory: share of the earlier batches' quadratic model that is kept, from 0 to below 1.
        orthogonal: solve by QR of J in place of Cholesky of J'J: dearer, and exact to rounding where J'J loses half
            of the digits. It pays where the parameters enter linearly, or nearly so.

    Raises:
        InputError: an argument out of its range; `step` without residuals and Jacobian.

    >>> w = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    >>> a, b = torch.eye(2, dtype=torch.float64), torch.tensor([1.0, 2.0], dtype=torch.float64)
    >>> solver = LevenbergMarquardt([w], damping=1e-9)
    >>> loss = solver.step(lambda: (a @ w.detach() - b, a))
    >>> w.detach().round(decimals=6).tolist()
    [1.0, 2.0]
    """

    wants_residuals = True

    def __init__(
        self,
        params: Iterable,
        damping: float = 1e-2,
        grow: float = 3.0,
        shrink: float = 0.3,
        accelerate: bool = True,
        bend: float = 0.75,
        trials: int = 12,
        memory: float = 0.0,
        orthogonal: bool = False,
    ):
        if grow <= 1 or not 0 < shrink < 1 or trials < 1:
            raise InputError(
                "LevenbergMarquardt: expected grow > 1, 0 < shrink < 1 and trials >= 1, got "
                f"{grow}, {shrink} and {trials}; mend the recipe"
            )
        if not 0 <= memory < 1 or (memory and orthogonal):
            raise InputError(
                "LevenbergMarquardt.memory: expected 0 or more and below 1, and 0 with orthogonal, got "
                f"{memory}{' with orthogonal' if orthogonal else ''}; mend the recipe"
            )
        positive("LevenbergMarquardt.damping", damping)
        positive("LevenbergMarquardt.bend", bend)
        defaults = {
            "lr": 1.0,
            "damping": damping,
            "grow": grow,
            "shrink": shrink,
            "accelerate": accelerate,
            "bend": bend,
            "trials": trials,
            "memory": memory,
            "orthogonal": orthogonal,
        }
        super().__init__(params, defaults)
        self.readings: dict[str, float] = {}

    @torch.no_grad()
    def step(self, closure: Linearised | None = None) -> Tensor:
        """One step; returns |r|^2 before it.

        `self.readings` then holds damping, gain ratio (actual over predicted decrease), acceleration ratio and trials.
        """
        residuals_R, jacobian_RP = linearised(closure, self)
        parameters, group = trained_parameters(self), self.param_groups[0]
        state = self.state[group["params"][0]]
        before_P, damping = parameter_vector(parameters), float(state.get("damping", group["damping"]))
        linear = _Linear.of(residuals_R, jacobian_RP, group["orthogonal"], _earlier(group["memory"], state))
        state["damping"], self.readings = damped_step(closure, linear, parameters, damping, group)
        if group["memory"]:
            moved_P = parameter_vector(parameters) - before_P
            state["matrix"] = linear.system.matrix_PP
            state["gradient"] = linear.gradient_P + linear.system.matrix_PP @ moved_P
        return residuals_R.new_tensor(linear.cost)


@dataclass(frozen=True)
class _Earlier:
    """Least squares of earlier batches about the present parameters: 2 gradient'x + x' matrix x, or nothing."""

    matrix_PP: Tensor | float = 0.0
    gradient_P: Tensor | float = 0.0

    def gain(self, move_P: Tensor) -> float:
        """How much a move lowers it."""
        if not isinstance(self.matrix_PP, Tensor):
            return 0.0
        return -float(move_P @ (2 * self.gradient_P + self.matrix_PP @ move_P))


def _earlier(memory: float, state: dict) -> _Earlier:
    if not memory or "matrix" not in state:
        return _Earlier()
    return _Earlier(memory * state["matrix"], memory * state["gradient"])


@dataclass(frozen=True)
class _Linear:
    """Residuals, their Jacobian, the least squares with it, and that of earlier batches."""

    residuals_R: Tensor
    jacobian_RP: Tensor
    system: "NormalSystem | OrthogonalSystem"
    earlier: _Earlier
    cost: float

    @classmethod
    def of(cls, residuals_R: Tensor, jacobian_RP: Tensor, orthogonal: bool, earlier: _Earlier) -> "_Linear":
        """With the system that the option names."""
        system = OrthogonalSystem(jacobian_RP) if orthogonal else NormalSystem(jacobian_RP, earlier.matrix_PP)
        return cls(residuals_R, jacobian_RP, system, earlier, float(residuals_R @ residuals_R))

    @property
    def gradient_P(self) -> Tensor:
        """Half the gradient of the objective, earlier batches included."""
        return self.jacobian_RP.t() @ self.residuals_R + self.earlier.gradient_P

    def velocity(self, damping: float) -> Tensor | None:
        """The damped Gauss-Newton step, or None where rounding makes the matrix indefinite."""
        if isinstance(self.system, NormalSystem):
            return self.system.solve_normal(-self.gradient_P, damping)
        return self.system.solve(-self.residuals_R, damping)

    def solve(self, b_R: Tensor, damping: float) -> Tensor | None:
        """The system for another right-hand side."""
        return self.system.solve(b_R, damping)

    def image(self, delta_P: Tensor) -> Tensor:
        """J delta."""
        return self.jacobian_RP @ delta_P

    def predicted(self, delta_P: Tensor, image_R: Tensor) -> float:
        """By how much the linear model says a step lowers the objective."""
        linear_R = self.residuals_R + image_R
        return self.cost - float(linear_R @ linear_R) + self.earlier.gain(delta_P)

    def gain(self, move_P: Tensor, trial_R: Tensor) -> float:
        """By how much a move lowers it."""
        return self.cost - float(trial_R @ trial_R) + self.earlier.gain(move_P)
