"""Many solutions of u_t = D u_xx + k u^2 + f(x) at once, zero at the start and at both ends of [0, 1].

Chebyshev points in space, whose Dirichlet matrix is diagonalised once, and ETDRK4 in time (Cox and Matthews 2002, with
the contour means of Kassam and Trefethen 2005): diffusion and source are exact in time, only k u^2 is stepped.
"""

import math

import torch
from torch import Tensor

from tasks.pde.operators.chebyshev import chebyshev_nodes, differentiation_matrix, interpolation_matrix
from tasks.pde.operators.random_fields import Functions


def reaction_diffusion(
    source: Functions, diffusion: float, reaction: float, steps: int, x_K: Tensor, nodes: int = 64, until: float = 1.0
) -> Tensor:
    """u [B, steps + 1, K] at the times until * (0, 1, ..., steps) / steps and the places x."""
    source_BN = source.at(chebyshev_nodes(nodes)[1:-1])
    second = differentiation_matrix(nodes) @ differentiation_matrix(nodes)
    rates_R, modes_NR = (part.real for part in torch.linalg.eig(diffusion * second[1:-1, 1:-1]))
    to_modes = torch.linalg.inv(modes_NR).t()

    def right_side(v_BR: Tensor) -> Tensor:
        return (reaction * (v_BR @ modes_NR.t()) ** 2 + source_BN) @ to_modes

    v_BR = torch.zeros_like(source_BN)
    states = [v_BR]
    step = _etdrk4(rates_R, until / steps)
    for _ in range(steps):
        v_BR = step(v_BR, right_side)
        states.append(v_BR)
    return torch.stack(states, 1) @ (modes_NR.t() @ interpolation_matrix(nodes, x_K)[:, 1:-1].t())


def _etdrk4(rates_R: Tensor, h: float):
    # The coefficients are differences of near-equal numbers for small h * rate: their means over a circle are not.
    circle = torch.exp(2j * math.pi * (torch.arange(64, dtype=torch.float64) + 0.5) / 64)
    z = h * rates_R[:, None] + circle
    half = h * ((torch.exp(z / 2) - 1) / z).mean(1).real
    first = h * ((-4 - z + torch.exp(z) * (4 - 3 * z + z**2)) / z**3).mean(1).real
    middle = h * ((2 + z + torch.exp(z) * (z - 2)) / z**3).mean(1).real
    last = h * ((-4 - 3 * z - z**2 + torch.exp(z) * (4 - z)) / z**3).mean(1).real
    whole_decay, half_decay = torch.exp(h * rates_R), torch.exp(h * rates_R / 2)

    def step(v: Tensor, right_side) -> Tensor:
        n_v = right_side(v)
        a = v * half_decay + half * n_v
        n_a = right_side(a)
        n_b = right_side(v * half_decay + half * n_a)
        n_c = right_side(a * half_decay + half * (2 * n_b - n_v))
        return v * whole_decay + first * n_v + 2 * middle * (n_a + n_b) + last * n_c

    return step
