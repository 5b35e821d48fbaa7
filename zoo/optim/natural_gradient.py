"""Natural gradients: steepest descent where the length of a step is how far the distribution moves. Amari (1998)."""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.errors import InputError
from zoo.optim.clipping import positive
from zoo.optim.conjugate_gradients import conjugate_gradients
from zoo.optim.fisher import Divergence, fisher_products
from zoo.optim.flat import gradient_vector, parameter_vector, trained_parameters, write_vector

# () -> (loss, divergence). With gradients on it leaves dL/dtheta in `.grad`; under torch.no_grad() it computes the loss
# only. The divergence is measured from the distribution at the step's start, wherever the parameters are meanwhile.
Measured = Callable[[], tuple[Tensor, Divergence]]


class Direction(NamedTuple):
    """What one linearisation knows; P = trained parameters.

    Attributes:
        loss: before the step.
        divergence: from the distribution before the step.
        x_P: (F + damping)^-1 g.
        slope: g'x, the decrease of the loss per unit of the step along -x.
        bent: x'(F + damping)x, twice the divergence of a whole step to second order.
        readings: relative residual and iterations of the conjugate gradients.
    """

    loss: Tensor
    divergence: Divergence
    x_P: Tensor
    slope: float
    bent: float
    readings: dict[str, float]

    @property
    def descends(self) -> bool:
        """Whether the direction is finite and leads down."""
        numbers = (float(self.loss), self.slope, self.bent)
        return all(map(math.isfinite, numbers)) and self.slope > 0 and self.bent > 0


class NaturalGradient(Optimizer):
    """w <- w - lr t (F + damping)^-1 g, F the Fisher information, t = sqrt(2 kl / x'(F + damping)x).

    F is never formed: conjugate gradients with products. With t every step moves the distribution by the same KL
    divergence, whatever the gradient's length (Kakade 2001); without it (kl = None, t = 1) it is Amari's rule. The
    damping in the length keeps a direction in which the distribution hardly moves from being followed without end.

    Args:
        params: parameters, all of one dtype.
        lr: factor of the step.
        kl: divergence of one step, in nats; None leaves the natural gradient's own length.
        damping: added to the diagonal of F.
        iterations: of the conjugate gradients, at most.
        tolerance: of their residual, relative to the gradient.

    Raises:
        InputError: an argument out of its range; `step` without a closure.

    >>> mean = torch.nn.Parameter(torch.tensor([3.0]))  # of a normal of variance 1/4; the loss is mean^2 / 2
    >>> def closure():
    ...     mean.grad, start = mean.detach().clone(), mean.detach().clone()
    ...     return mean.detach().square() / 2, lambda: 2 * (mean - start).square().sum()
    >>> loss = NaturalGradient([mean], kl=0.5, damping=0.0).step(closure)
    >>> mean.detach()  # moved by one standard deviation: KL 1/2
    tensor([2.5000])
    """

    wants_divergence = True

    def __init__(
        self,
        params: Iterable,
        lr: float = 1.0,
        kl: float | None = 0.01,
        damping: float = 1e-2,
        iterations: int = 10,
        tolerance: float = 1e-5,
    ):
        refuse_bad_settings(type(self).__name__, lr, kl, damping, iterations, tolerance)
        settings = {"lr": lr, "kl": kl, "damping": damping, "iterations": iterations, "tolerance": tolerance}
        super().__init__(params, settings)
        self.readings: dict[str, float] = {}

    @torch.no_grad()
    def step(self, closure: Measured | None = None) -> Tensor:
        """One step; returns the loss before it.

        `self.readings` then holds the predicted and the actual decrease of the loss, the KL divergence of the step,
        the relative residual and iterations of the conjugate gradients, and whether a step was made: without a finite
        direction of descent the parameters stay.
        """
        found, group, parameters = natural_direction(closure, self), self.param_groups[0], trained_parameters(self)
        self.readings = {"predicted": 0.0, "actual": 0.0, "step_kl": 0.0, "accepted": 0.0, **found.readings}
        if not found.descends:
            return found.loss
        length = group["lr"] * (1.0 if group["kl"] is None else math.sqrt(2 * group["kl"] / found.bent))
        write_vector(parameter_vector(parameters) - length * found.x_P, parameters)
        self.readings |= {"predicted": length * found.slope, "accepted": 1.0, **outcome(closure, found)}
        return found.loss


def natural_direction(closure: Measured | None, optimizer: Optimizer) -> Direction:
    """(F + damping)^-1 g at the parameters as they are.

    Raises:
        InputError: no closure.
    """
    if closure is None:
        raise InputError(
            f"{type(optimizer).__name__}.step: expected a closure that returns loss and divergence, got none; pass one"
        )
    parameters, group = trained_parameters(optimizer), optimizer.param_groups[0]
    with torch.enable_grad():
        loss, divergence = closure()
    gradient_P = gradient_vector(parameters)
    fisher = fisher_products(divergence, parameters)
    x_P, rest_P, iterations = conjugate_gradients(
        lambda v_P: fisher(v_P) + group["damping"] * v_P, gradient_P, group["tolerance"], group["iterations"]
    )
    readings = {
        "cg_residual": float(rest_P.norm()) / max(float(gradient_P.norm()), 1e-30),
        "cg_iterations": float(iterations),
    }
    slope, bent = float(gradient_P @ x_P), float((gradient_P - rest_P) @ x_P)
    return Direction(loss.detach(), divergence, x_P, slope, bent, readings)


def outcome(closure: Measured, found: Direction) -> dict[str, float]:
    """Actual decrease of the loss and divergence at the parameters as they are."""
    loss, _ = closure()
    return {"actual": float(found.loss - loss), "step_kl": float(found.divergence())}


def refuse_bad_settings(
    name: str, lr: float, kl: float | None, damping: float, iterations: int, tolerance: float
) -> None:
    """Settings of natural steps out of their range.

    Raises:
        InputError: with the setting.
    """
    positive(f"{name}.lr", lr)
    if kl is not None:
        positive(f"{name}.kl", kl)
    if not damping >= 0 or iterations < 1 or not 0 < tolerance < 1:
        raise InputError(
            f"{name}: expected damping >= 0, iterations >= 1 and 0 < tolerance < 1, got "
            f"{damping}, {iterations} and {tolerance}; mend the recipe"
        )
