"""How much the loss can rise nearby: SAM's one step, the worst case in a ball, and Keskar's in a box.

Legend: P = parameters.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from zoo.errors import InputError
from zoo.probes.curvature_products import Losses, loss_and_gradient, mean_loss
from zoo.probes.parameter_vectors import Parameters, parts_of, vector_of
from zoo.probes.trace import random_signs


def sam_sharpness(losses: Losses, params: Parameters, radius: float = 0.05, adaptive: bool = False) -> Tensor:
    """L(theta + e) - L(theta) with e = radius g / |g|, the steepest step: Foret et al. (2021).

    Args:
        losses: parameters by name -> a scalar, or several of which the mean is meant.
        params: theta.
        radius: |e|.
        adaptive: measure e relative to |theta|, entry by entry (Kwon et al. 2021): e = radius theta^2 g / |theta g|.
            The number then stays the same where a rescaling of weights leaves the net the same, as ReLU layers do.

    >>> round(sam_sharpness(lambda p: p["x"].square().sum(), {"x": torch.tensor([3.0, 4.0])}, 1.0).item(), 4)
    11.0
    """
    _refuse(radius)
    start_P, scale_P = vector_of(params), _scale(params, adaptive)
    loss, slope_P = _value_and_slope(losses, params, start_P)
    return _value(losses, params, start_P + radius * scale_P * _unit(scale_P * slope_P)) - loss


def worst_case_sharpness(
    losses: Losses, params: Parameters, radius: float = 0.05, adaptive: bool = False, steps: int = 20
) -> Tensor:
    """max_{|e| <= radius} L(theta + e) - L(theta), by ascent along the gradient on the sphere from SAM's point.

    What is found is a lower bound; radius |g| + radius^2 lambda_max / 2 is the maximum of the quadratic model at most.

    Args:
        losses, params, radius, adaptive: as in `sam_sharpness`; the ball is |e / theta| <= radius where adaptive.
        steps: gradients; the best point met counts.

    >>> round(worst_case_sharpness(lambda p: p["x"].square().sum(), {"x": torch.zeros(2) + 1e-3}, 1.0).item(), 2)
    1.0
    """
    scale_P = _scale(params, adaptive)

    def onto_ball(step_P: Tensor) -> Tensor:
        return radius * _unit(step_P)

    return _ascended(losses, params, radius, scale_P, onto_ball, steps)


def keskar_sharpness(losses: Losses, params: Parameters, epsilon: float = 1e-3, steps: int = 20) -> Tensor:
    """100 (max_{|e_i| <= epsilon (|theta_i| + 1)} L(theta + e) - L(theta)) / (1 + L(theta)), in per cent.

    Keskar et al. (2017), the full space of their metric 2.1; small where the minimum is flat, and larger for large
    batches in their study. By signs of the gradient in place of their ten steps of L-BFGS-B: the maximum of a smooth
    function over a box lies near a corner where the slope does not change its sign inside.

    Args:
        losses: parameters by name -> a scalar, or several of which the mean is meant.
        params: theta.
        epsilon: 1e-3 and 5e-4 in the paper.
        steps: gradients; the best point met counts.

    >>> round(keskar_sharpness(lambda p: p["x"].sum(), {"x": torch.zeros(2)}, 1e-2).item(), 4)
    2.0
    """
    scale_P = vector_of(params).abs() + 1
    rise = _ascended(losses, params, epsilon, scale_P, lambda step_P: epsilon * step_P.sign(), steps)
    return 100 * rise / (1 + _value(losses, params, vector_of(params)))


def _ascended(
    losses: Losses,
    params: Parameters,
    radius: float,
    scale_P: Tensor,
    farthest: Callable[[Tensor], Tensor],
    steps: int,
) -> Tensor:
    """Frank and Wolfe's ascent: to the farthest point along the gradient, or between it and where one is."""
    _refuse(radius)
    start_P = vector_of(params)
    at_P, share = torch.zeros_like(start_P), 1.0
    first, slope_P = _value_and_slope(losses, params, start_P)
    if not slope_P.norm() > 0:  # at a stationary point every direction is as good
        slope_P = random_signs(start_P, torch.Generator().manual_seed(0))
    best = torch.zeros_like(first)
    for _ in range(steps):
        candidate_P = farthest((1 - share) * _unit(at_P) + share * _unit(scale_P * slope_P))
        value, candidate_slope_P = _value_and_slope(losses, params, start_P + scale_P * candidate_P)
        if value - first > best:
            at_P, slope_P, best = candidate_P, candidate_slope_P, value - first
        else:
            share /= 2  # the slope has turned on the way: a shorter turn from the best point
    return best


def _scale(params: Parameters, adaptive: bool) -> Tensor:
    start_P = vector_of(params)
    return start_P.abs() if adaptive else torch.ones_like(start_P)


def _unit(vector_P: Tensor) -> Tensor:
    norm = vector_P.norm()
    return vector_P / norm if norm > 0 else vector_P


def _value(losses: Losses, params: Parameters, at_P: Tensor) -> Tensor:
    return mean_loss(losses, parts_of(at_P, params))


def _value_and_slope(losses: Losses, params: Parameters, at_P: Tensor) -> tuple[Tensor, Tensor]:
    return loss_and_gradient(losses, parts_of(at_P, params))


def _refuse(radius: float) -> None:
    if not radius > 0:
        raise InputError(f"sharpness: expected a radius above 0, got {radius}; 0.05 is usual")
