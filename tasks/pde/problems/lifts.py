"""Kinks that diffusion or dispersion takes up, in closed form: what no smooth net can take over at t = 0."""

import math
from collections.abc import Callable
from typing import Any

import torch
from scipy.special import fresnel
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary

from zoo.derivatives.jets import NoJetRule
from zoo.derivatives.smooth import SMOOTH


def rounded_ramps(s: Any, variance: Any, highest: int) -> list[Any]:
    """[E max(s + sigma Z, 0)^n for n = 0 .. highest], Z normal: the heat equation's solutions from max(s, 0)^n.

        m_n = s m_{n-1} + (n - 1) sigma^2 m_{n-2},  m_0 = cdf(s / sigma),  m_1 = s m_0 + sigma pdf(s / sigma)

    Args:
        s: signed distance from the kink, a jet or tensor.
        variance: sigma^2 = 2 nu t.
        highest: n, 1 or more.

    >>> s = torch.tensor([-1.0, 0.0, 2.0])
    >>> rounded_ramps(s, torch.zeros(3), 2)[2].tolist()
    [0.0, 0.0, 4.0]
    """
    sigma = torch.sqrt(variance + 1e-30)  # a start 1e-26 before t = 0 is not seen, a division by zero is
    z = s * torch.reciprocal(sigma)
    ramps = [torch.special.ndtr(z)]
    ramps.append(s * ramps[0] + sigma * torch.exp(z * z * -0.5) * (1 / math.sqrt(2 * math.pi)))
    for n in range(2, highest + 1):
        ramps.append(s * ramps[-1] + variance * ramps[-2] * (n - 1.0))
    return ramps


def fresnel_cosine(z: Tensor) -> Tensor:
    """int_0^z cos(pi y^2 / 2) dy, of a tensor or a jet."""
    if has_torch_function_unary(z):
        return handle_torch_function(fresnel_cosine, (z,), z)
    return torch.from_numpy(fresnel(z.detach().numpy())[1])


def fresnel_sine(z: Tensor) -> Tensor:
    """int_0^z sin(pi y^2 / 2) dy, of a tensor or a jet."""
    if has_torch_function_unary(z):
        return handle_torch_function(fresnel_sine, (z,), z)
    return torch.from_numpy(fresnel(z.detach().numpy())[0])


def dispersed_ramp(s: Any, t: Any) -> tuple[Any, Any]:
    """(real, imaginary part) of the solution of m_t = i / 2 m_xx from the ramp max(s, 0).

        m = s (1 / 2 + (C(z) + S(z)) / 2 + i (S(z) - C(z)) / 2)
            + sqrt(i t / (2 pi)) exp(i s^2 / (2 t)),  z = s / sqrt(pi t)

    This is `rounded_ramps` at the variance i t; C and S are Fresnel's integrals.
    """
    root = torch.sqrt(t + 1e-30)
    z = s * torch.reciprocal(root) * (1 / math.sqrt(math.pi))
    cosine, sine, phase = fresnel_cosine(z), fresnel_sine(z), z * z * (math.pi / 2)
    # sqrt(i) = (1 + i) / sqrt(2)
    c, d = torch.cos(phase), torch.sin(phase)
    width = root * (0.5 / math.sqrt(math.pi))
    return s * (cosine + sine + 1.0) * 0.5 + width * (c - d), s * (sine - cosine) * 0.5 + width * (c + d)


# d/dz of Fresnel's integrals and on: their jets are as exact as those of sin and cos.
def _of_phase(first: Callable, second: Callable, sign: float) -> Callable:
    def derivatives(z: Tensor, y: Tensor, order: int) -> list[Tensor]:
        if order > 3:
            raise NoJetRule(f"Fresnel's integrals: expected an order up to 3, got {order}; leave the lift out")
        phase = z * z * (math.pi / 2)
        a, b = first(phase), second(phase) * sign
        p = math.pi * z
        return [a, p * b, math.pi * b - p * p * a][:order]

    return derivatives


SMOOTH[fresnel_cosine] = _of_phase(torch.cos, torch.sin, -1.0)
SMOOTH[fresnel_sine] = _of_phase(torch.sin, torch.cos, 1.0)
