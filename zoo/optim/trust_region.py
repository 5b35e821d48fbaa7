"""Trust regions: the natural step is taken only as far as it lowers the loss within a KL divergence.

Schulman et al. (2015), trust region policy optimisation, appendix C.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.errors import InputError
from zoo.optim.flat import parameter_vector, trained_parameters, write_vector
from zoo.optim.natural_gradient import Direction, Measured, natural_direction, outcome, refuse_bad_settings


class TrustRegion(Optimizer):
    """w <- w - s t x, x = (F + damping)^-1 g, t = sqrt(2 kl / x'(F + damping)x), s the first of 1, shrink, shrink^2 ...
    at which the loss has fallen by `accept` of what its slope predicts and the divergence is at most kl.

    Where none is, the parameters are what they were, bit for bit.

    Args:
        params: parameters, all of one dtype.
        lr: factor of the longest step.
        kl: largest divergence of a step, in nats.
        damping: added to the diagonal of F.
        iterations: of the conjugate gradients, at most.
        tolerance: of their residual, relative to the gradient.
        shrink: factor from one trial to the next.
        trials: at most.
        accept: least share of the predicted decrease.

    Raises:
        InputError: an argument out of its range; `step` without a closure.
    """

    wants_divergence = True
    exact_gradients = True  # a clipped gradient is not the slope that the decrease is compared with

    def __init__(
        self,
        params: Iterable,
        lr: float = 1.0,
        kl: float = 0.01,
        damping: float = 1e-2,
        iterations: int = 10,
        tolerance: float = 1e-5,
        shrink: float = 0.8,
        trials: int = 10,
        accept: float = 0.1,
    ):
        name = type(self).__name__
        refuse_bad_settings(name, lr, kl, damping, iterations, tolerance)
        if not 0 < shrink < 1 or trials < 1 or not 0 <= accept < 1:
            raise InputError(
                f"{name}: expected 0 < shrink < 1, trials >= 1 and 0 <= accept < 1, got "
                f"{shrink}, {trials} and {accept}; mend the recipe"
            )
        settings = {"lr": lr, "kl": kl, "damping": damping, "iterations": iterations, "tolerance": tolerance}
        super().__init__(params, settings | {"shrink": shrink, "trials": trials, "accept": accept})
        self.readings: dict[str, float] = {}

    @torch.no_grad()
    def step(self, closure: Measured | None = None) -> Tensor:
        """One step; returns the loss before it.

        `self.readings` then holds the predicted and the actual decrease of the loss and the KL divergence of the trial
        that came last, whether it was accepted, how often the step was shortened, and the relative residual and
        iterations of the conjugate gradients.
        """
        found, group = natural_direction(closure, self), self.param_groups[0]
        self.readings = {"predicted": 0.0, "actual": 0.0, "step_kl": 0.0, "accepted": 0.0, "backtracks": 0.0}
        self.readings |= found.readings
        if found.descends:
            self._search(closure, found, group["lr"] * math.sqrt(2 * group["kl"] / found.bent))
        return found.loss

    def _search(self, closure: Measured, found: Direction, longest: float) -> None:
        parameters, group = trained_parameters(self), self.param_groups[0]
        before_P = parameter_vector(parameters)
        for trial in range(group["trials"]):
            length = longest * group["shrink"] ** trial
            write_vector(before_P - length * found.x_P, parameters)
            self.readings |= {"predicted": length * found.slope, "backtracks": float(trial), **outcome(closure, found)}
            actual, least = self.readings["actual"], group["accept"] * self.readings["predicted"]
            if actual > 0 and actual >= least and self.readings["step_kl"] <= group["kl"]:  # NaN is refused too
                self.readings["accepted"] = 1.0
                return
        write_vector(before_P, parameters)
