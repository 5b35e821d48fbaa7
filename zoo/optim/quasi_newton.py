"""Quasi-Newton methods that keep the whole inverse Hessian: BFGS and its self-scaled kin.

Legend: P = trained parameters; H [P, P] = the inverse Hessian as the pairs (s, y) seen so far have it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.errors import InputError
from zoo.optim.broyden import bfgs, first_scale, self_scaled_bfgs, self_scaled_broyden, update_inverse_
from zoo.optim.clipping import positive
from zoo.optim.flat import gradient_vector, parameter_vector, trained_parameters, write_vector
from zoo.optim.line_search import Point, strong_wolfe

STRAIGHT = 1e-14  # y's below this share of |y||s| is rounding, and no pair
COARSE = 100  # a step of fewer roundings of the parameters tells nothing about curvature


class QuasiNewton(Optimizer, ABC):
    """w <- w - t H g, t by the strong Wolfe conditions; H learns from s = t p and y, the change of the gradient.

    A step makes several iterations on its batch, as torch's LBFGS does: both gradients of a pair come from the same
    batch, and only the first iteration has to compute the one at its start. H goes on from step to step, also over
    points drawn anew. Where no lower point is found, or the loss is not finite, the parameters stay and the step ends;
    the second time in a row H begins again from the identity.

    Args:
        params: parameters, all of one dtype; float64 is meant. H takes 8 P^2 bytes: 8 MB for 1,000, 0.8 GB for 10,000.
        lr: first trial of the line search; 1 is the quasi-Newton step itself.
        iterations: in a step.
        decrease: c1 of the Wolfe conditions.
        curvature: c2 of the Wolfe conditions.
        evaluations: of the closure in one line search, at most.
        initial_scale: scale the identity by the first pair before it enters.

    Raises:
        InputError: an argument out of its range; `step` without a closure.
    """

    exact_gradients = True  # a clipped gradient is not the slope of the loss that the line search sees

    def __init__(
        self,
        params: Iterable,
        lr: float = 1.0,
        iterations: int = 20,
        decrease: float = 1e-4,
        curvature: float = 0.9,
        evaluations: int = 25,
        initial_scale: bool = True,
    ):
        name = type(self).__name__
        positive(f"{name}.lr", lr)
        if not 0 < decrease < curvature < 1 or min(iterations, evaluations) < 1:
            raise InputError(
                f"{name}: expected 0 < decrease < curvature < 1 and iterations and evaluations >= 1, got "
                f"{decrease}, {curvature}, {iterations} and {evaluations}; mend the recipe"
            )
        defaults = {
            "lr": lr,
            "iterations": iterations,
            "decrease": decrease,
            "curvature": curvature,
            "evaluations": evaluations,
            "initial_scale": initial_scale,
        }
        super().__init__(params, defaults)
        self.readings: dict[str, float] = {}

    @staticmethod
    @abstractmethod
    def rule(b: float, h: float, n: int) -> tuple[float, float]:
        """(theta, tau) of the update; see `zoo.optim.broyden`."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor:
        """Iterations on one batch; returns the loss before them.

        `self.readings` then holds the length of the last line search's step, the evaluations of all of them, theta
        and tau of the last update and how often H began anew.
        """
        if closure is None:
            raise InputError(
                f"{type(self).__name__}.step: expected a closure that computes the loss and its gradient, got none; "
                "pass one (precision 16-mixed cannot)"
            )
        parameters = trained_parameters(self)
        self.readings = {"step_length": 0.0, "evaluations": 0.0, "theta": 0.0, "tau": 1.0, "restarts": 0.0}
        value, gradient_P = self._evaluate(closure, parameters)
        loss = gradient_P.new_tensor(value)
        for _ in range(self.param_groups[0]["iterations"]):
            if not (math.isfinite(value) and bool(gradient_P.any()) and bool(gradient_P.isfinite().all())):
                break
            value, gradient_P, moved = self._iterate(closure, parameters, value, gradient_P)
            if not moved:
                break
        return loss

    @property
    def _memory(self) -> dict[str, Any]:
        return self.state[self.param_groups[0]["params"][0]]

    def _evaluate(self, closure: Callable[[], Tensor], parameters: list[Tensor]) -> tuple[float, Tensor]:
        with torch.enable_grad():
            value = float(closure().detach())
        self.readings["evaluations"] += 1
        return value, gradient_vector(parameters)

    def _iterate(
        self, closure: Callable[[], Tensor], parameters: list[Tensor], value: float, gradient_P: Tensor
    ) -> tuple[float, Tensor, bool]:
        """(loss, gradient, whether the parameters moved) after one line search and update of H."""
        direction_P, slope, first = self._direction(gradient_P)
        before_P = parameter_vector(parameters)
        gradients = {0.0: gradient_P}

        def phi(step: float) -> tuple[float, float]:
            write_vector(before_P + step * direction_P, parameters)
            there, gradients[step] = self._evaluate(closure, parameters)
            return there, dot(gradients[step], direction_P)

        limits = {name: self.param_groups[0][name] for name in ("decrease", "curvature", "evaluations")}
        rounding = 4 * torch.finfo(gradient_P.dtype).eps
        found = strong_wolfe(phi, Point(0.0, value, slope), first, **limits, rounding=rounding)
        lower = found.wolfe or value - found.point.value > rounding * abs(value)
        step = found.point.step if lower else 0.0
        write_vector(before_P + step * direction_P if step else before_P, parameters)
        self.readings["step_length"] = step
        was_stuck, self._memory["stuck"] = self._memory.get("stuck", False), step == 0
        if step == 0:
            if was_stuck:
                self._forget()
            return value, gradient_P, False
        if step * float(direction_P.norm()) > COARSE * torch.finfo(before_P.dtype).eps * float(before_P.norm()):
            self._learn(step * direction_P, gradients[step] - gradient_P, -step * step * slope)
        return found.point.value, gradients[step], True

    def _direction(self, gradient_P: Tensor) -> tuple[Tensor, float, float]:
        """(p, its slope, first trial); steepest descent where H is not there or has lost its descent to rounding."""
        lr, inverse_PP = self.param_groups[0]["lr"], self._memory.get("inverse_PP")
        if inverse_PP is not None:
            direction_P = -(inverse_PP @ gradient_P)
            slope = dot(gradient_P, direction_P)
            if slope < 0:
                return direction_P, slope, lr
            self._forget()
        squared = dot(gradient_P, gradient_P)
        return -gradient_P, -squared, lr * min(1.0, squared**-0.5)

    def _forget(self) -> None:
        if self._memory.pop("inverse_PP", None) is not None:
            self.readings["restarts"] += 1

    def _learn(self, s_P: Tensor, y_P: Tensor, bent: float) -> None:
        """Let the pair into H; `bent` is s'Bs, known without B, since Bs = -t g."""
        curvature = dot(s_P, y_P)
        if not curvature > STRAIGHT * math.sqrt(dot(s_P, s_P) * dot(y_P, y_P)):
            return
        fresh = "inverse_PP" not in self._memory
        inverse_PP = torch.eye(len(s_P), dtype=s_P.dtype, device=s_P.device) if fresh else self._memory["inverse_PP"]
        image_P = inverse_PP @ y_P
        b, h = bent / curvature, dot(y_P, image_P) / curvature
        theta, tau = self.rule(b, h, len(s_P))
        if fresh and self.param_groups[0]["initial_scale"]:
            tau = first_scale(b, h, theta)
        update_inverse_(inverse_PP, s_P, image_P, curvature, h, max(b * h - 1, 0.0), theta, tau)
        self._memory["inverse_PP"] = inverse_PP
        self.readings |= {"theta": theta, "tau": tau}


class BFGS(QuasiNewton):
    """The update of Broyden, Fletcher, Goldfarb and Shanno, with all of its memory. See `QuasiNewton`.

    >>> w = torch.nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))
    >>> optimizer = BFGS([w], iterations=50)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> _ = optimizer.step(closure); w.detach().round(decimals=6).tolist()
    [1.0, 1.0]
    """

    rule = staticmethod(bfgs)


class SSBFGS(QuasiNewton):
    """BFGS that scales H before each update where its last step was too short. Al-Baali (1998). See `QuasiNewton`."""

    rule = staticmethod(self_scaled_bfgs)


class SSBroyden(QuasiNewton):
    """The self-scaled Broyden method of Al-Baali and Khalfan (2005), which Urban, Stefanou and Pons (2025) found best
    for physics-informed networks. See `QuasiNewton`."""

    rule = staticmethod(self_scaled_broyden)


def dot(a_P: Tensor, b_P: Tensor) -> float:
    """a'b, summed in float64: in float32 the slope would be lost to rounding first."""
    return float(a_P.double() @ b_P.double())
