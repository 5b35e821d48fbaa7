"""Kinks that diffusion rounds off, in closed form: parts of a solution that no smooth net can take over at t = 0."""

import math
from typing import Any

import torch


def rounded_ramps(s: Any, variance: Any, highest: int) -> list[Any]:
    """[E max(s + sigma Z, 0)^n for n = 0 .. highest], Z standard normal: the heat equation's solutions from ramps max(s, 0)^n.

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
