"""Burgers' equation by the Cole-Hopf transformation.

Suffixes: N points, Q nodes of the quadrature.
"""

import math

import torch
from torch import Tensor

from tasks.pde.references.certificate import self_convergence


def cole_hopf(t_N: Tensor, x_N: Tensor, nu: float, spacing: float = 0.14) -> tuple[Tensor, float]:
    """(u [N], self-convergence error) of Burgers' equation from u(0, x) = -sin(pi x).

        u = -int sin(pi y) e^E dz / int e^E dz,  y = x - z sqrt(4 nu t),  E = -cos(pi y) / (2 pi nu) - z^2

    by the trapezoidal rule over z, which converges exponentially because the integrand and all its derivatives vanish
    at the ends. Basdevant et al. (1986). The narrowest peak of e^E has E'' = -2 (1 + pi t) whatever nu is, and its
    cosine has the period 1 / sqrt(nu t), so nodes are `spacing` / sqrt(1 + t + 4 nu t) apart; they end where E, which
    is below max E + 1 / (pi nu) - z^2, has fallen by 40. The error is the relative l2 difference to nodes 1.5 times as
    far apart, and not below rounding.
    """
    fine, coarse = (_cole_hopf(t_N, x_N, nu, width) for width in (spacing, 1.5 * spacing))
    return fine, self_convergence(fine, coarse)


def _cole_hopf(t_N: Tensor, x_N: Tensor, nu: float, spacing: float) -> Tensor:
    spacing = spacing / math.sqrt(1 + (1 + 4 * nu) * float(t_N.max()))
    count = math.ceil(math.sqrt(1 / (math.pi * nu) + 40) / spacing)
    z_Q = spacing * torch.arange(-count, count + 1, dtype=torch.float64)
    parts = []
    for t, x in zip(t_N.split(2000), x_N.split(2000), strict=True):
        y_NQ = x[:, None] - (4 * nu * t).sqrt()[:, None] * z_Q
        exponent_NQ = -torch.cos(math.pi * y_NQ) / (2 * math.pi * nu) - z_Q**2
        weight_NQ = torch.exp(exponent_NQ - exponent_NQ.max(1, keepdim=True).values)
        parts.append(-(torch.sin(math.pi * y_NQ) * weight_NQ).sum(1) / weight_NQ.sum(1))
    return torch.cat(parts)
