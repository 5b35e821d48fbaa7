"""Levenberg-Marquardt with geodesic acceleration, for losses that are sums of squares."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim import Optimizer

from zoo.errors import InputError
from zoo.optim.clipping import positive
from zoo.optim.orthogonal import OrthogonalSystem

# () -> (residuals [R], Jacobian [R, P]) with gradients on, (residuals [R], None) under torch.no_grad()
Residuals = Callable[[], tuple[Tensor, Tensor | None]]


class LevenbergMarquardt(Optimizer):
    """(J'J + damping D) delta = -J'r, D = diag(J'J); then w + delta + a / 2, a the acceleration along the geodesic.

    The acceleration solves the same system for -J'r'', where r'' is the second derivative of the residuals along
    delta, from one more evaluation (Transtrum and Sethna 2012). A step is taken when it lowers |r|^2 and
    2 |a/2| <= bend |delta|; otherwise the damping grows and the factorisation alone is done again.

    Args:
        params: parameters, all of one dtype; float64 is meant.
        damping: at the start, relative to D.
        grow: factor of the damping after a refused trial.
        shrink: factor after a taken one.
        accelerate: add the geodesic acceleration.
        bend: largest ratio of acceleration to velocity.
        trials: refused trials before the step is given up, parameters as before.
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
        orthogonal: bool = False,
    ):
        if grow <= 1 or not 0 < shrink < 1 or trials < 1:
            raise InputError(
                "LevenbergMarquardt: expected grow > 1, 0 < shrink < 1 and trials >= 1, got "
                f"{grow}, {shrink} and {trials}; mend the recipe"
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
            "orthogonal": orthogonal,
        }
        super().__init__(params, defaults)
        self.readings: dict[str, float] = {}

    @property
    def parameters(self) -> list[Tensor]:
        """Those that are trained, in the order of the Jacobian's columns."""
        return [p for group in self.param_groups for p in group["params"] if p.requires_grad]

    @torch.no_grad()
    def step(self, closure: Residuals | None = None) -> Tensor:
        """One step; returns |r|^2 before it.

        `self.readings` then holds damping, gain ratio (actual over predicted decrease), acceleration ratio and trials.
        """
        if closure is None:
            raise InputError("LevenbergMarquardt.step: expected a closure that returns residuals, got none; pass one")
        with torch.enable_grad():
            residuals_R, jacobian_RP = closure()
        if jacobian_RP is None or jacobian_RP.shape != (len(residuals_R), sum(p.numel() for p in self.parameters)):
            raise InputError(
                f"LevenbergMarquardt.step: expected a Jacobian [{len(residuals_R)}, parameters], got "
                f"{None if jacobian_RP is None else list(jacobian_RP.shape)}; mend the closure"
            )
        group, state = self.param_groups[0], self.state[self.param_groups[0]["params"][0]]
        damping = float(state.get("damping", group["damping"]))
        before_P = parameters_to_vector(self.parameters)
        cost = float(residuals_R @ residuals_R)
        scale_P = scales(jacobian_RP)
        system = (OrthogonalSystem if group["orthogonal"] else NormalSystem)(jacobian_RP, scale_P)
        linear = _Linear(residuals_R, jacobian_RP, system)
        readings = {"damping": damping, "gain_ratio": 0.0, "acceleration": 0.0, "trials": 0.0}
        for trial in range(group["trials"]):
            taken = self._try(closure, linear, before_P, cost, damping, readings)
            readings |= {"damping": damping, "trials": trial + 1.0}
            if taken:
                damping *= group["shrink"]
                break
            damping *= group["grow"]
        else:
            vector_to_parameters(before_P, self.parameters)
        state["damping"] = min(max(damping, 1e-20), 1e20)
        self.readings = readings
        return residuals_R.new_tensor(cost)

    def _try(
        self, closure: Residuals, linear: "_Linear", before_P: Tensor, cost: float, damping: float, readings: dict
    ) -> bool:
        """Move the parameters by one trial step; whether it may stay."""
        group = self.param_groups[0]
        delta_P = linear.system.solve(-linear.residuals_R, damping)
        if delta_P is None:
            return False
        size, correction_P = float(delta_P.norm()), torch.zeros_like(delta_P)
        if group["accelerate"]:
            bent = linear.system.solve(-self._second(closure, linear, before_P, delta_P), damping)
            readings["acceleration"] = float(bent.norm()) / max(size, 1e-300)
            if not readings["acceleration"] <= group["bend"]:  # NaN is refused too
                return False
            correction_P = 0.5 * bent
        vector_to_parameters(before_P + delta_P + correction_P, self.parameters)
        trial_R, _ = closure()
        new_cost = float(trial_R @ trial_R)
        predicted = cost - float((linear.residuals_R + linear.jacobian_RP @ delta_P).square().sum())
        readings["gain_ratio"] = (cost - new_cost) / max(predicted, 1e-300)
        return new_cost < cost

    def _second(self, closure: Residuals, linear: "_Linear", before_P: Tensor, delta_P: Tensor) -> Tensor:
        # r'' by a forward difference of the residuals minus their linear part; 0.1 is the authors' step.
        h = 0.1
        vector_to_parameters(before_P + h * delta_P, self.parameters)
        moved_R, _ = closure()
        return (2 / h) * ((moved_R - linear.residuals_R) / h - linear.jacobian_RP @ delta_P)


@dataclass(frozen=True)
class _Linear:
    """Residuals, their Jacobian, and the least squares with it."""

    residuals_R: Tensor
    jacobian_RP: Tensor
    system: "NormalSystem | OrthogonalSystem"


def scales(jacobian_RP: Tensor) -> Tensor:
    """[P]: the diagonal of J'J; a parameter without any effect still needs a pivot."""
    diagonal_P = jacobian_RP.square().sum(0)
    return diagonal_P.clamp(min=1e-12 * float(diagonal_P.max().clamp(min=1e-300)))


class NormalSystem:
    """min over x of |J x - b|^2 + damping x'D x by Cholesky's factor of J'J + damping D."""

    def __init__(self, jacobian_RP: Tensor, scale_P: Tensor):
        self._jacobian_RP, self._scale_P = jacobian_RP, scale_P
        self._matrix_PP = jacobian_RP.t() @ jacobian_RP
        self._factored: tuple[float, Tensor | None] | None = None

    def solve(self, b_R: Tensor, damping: float) -> Tensor | None:
        """x [P], or None where rounding makes the matrix indefinite."""
        if self._factored is None or self._factored[0] != damping:
            damped_PP = self._matrix_PP.clone()
            damped_PP.diagonal().add_(damping * self._scale_P)
            factor, failed = torch.linalg.cholesky_ex(damped_PP)
            self._factored = (damping, None if int(failed) else factor)
        factor = self._factored[1]
        return None if factor is None else torch.cholesky_solve((self._jacobian_RP.t() @ b_R)[:, None], factor)[:, 0]
