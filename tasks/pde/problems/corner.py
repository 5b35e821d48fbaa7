"""Flow in the corner of a wall at rest and a lid that slides: its stream function near the corner, where u jumps.

    psi = sum_n Re^n r^(n+1) F_n(angle),  angle from the lid (0) to the wall (pi/2)

n = 0 is slow flow (Taylor 1962), the others its inertia (Gupta, Manohar and Noble 1981; Botella and Peyret 1998 take
n = 0 and 1). The next term of the solution, r^3.74, depends on the flow far away.

Shapes: A angles, B functions of the basis.
"""

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from torch.nn import functional

WAVES = 10  # cos(k angle), sin(k angle) up to it: on a quarter of their period they are complete, and converge fast


@cache
def corner_terms(highest: int) -> tuple[np.ndarray, ...]:
    """Coefficients [B] of F_0, ..., F_highest in the basis of `waves`.

    With W = -(F_n'' + (n+1)^2 F_n), so that the vorticity is sum_n Re^n r^(n-1) W_n, the powers of r in
    u . grad w = lap w / Re give

        W_n'' + (n-1)^2 W_n = sum_(i+j=n-1) (i-1) W_i F_j' - (j+1) W_i' F_j,

    where F_n vanishes with its slope at both ends, but for F_0'(0) = -1, the lid.
    """
    angles_A = np.linspace(0, math.pi / 2, 60)
    terms: list[np.ndarray] = []
    for n in range(highest + 1):
        operator_AB = vorticity(n, angles_A, 2) + (n - 1) ** 2 * vorticity(n, angles_A)
        source_A = sum((_carried(terms, i, n - 1 - i, angles_A) for i in range(n)), np.zeros_like(angles_A))
        ends_EB = np.concatenate([waves(np.array([0, math.pi / 2]), order) for order in (0, 1)])
        matrix = np.concatenate([operator_AB, ends_EB])
        right = np.concatenate([source_A, [0, 0, -1.0 if n == 0 else 0.0, 0]])
        terms.append(np.linalg.lstsq(matrix, right, rcond=1e-15)[0])
    return tuple(terms)


def waves(angles_A: np.ndarray, order: int = 0) -> np.ndarray:
    """[A, B]: derivative of the given order of cos(k angle), k = 0, ..., and sin(k angle), k = 1, ..."""
    k = np.concatenate([np.arange(WAVES + 1), np.arange(1, WAVES + 1)])
    phase = np.where(np.arange(len(k)) <= WAVES, order, order - 1) * (math.pi / 2)
    return k**order * np.cos(np.outer(angles_A, k) + phase)


def vorticity(n: int, angles_A: np.ndarray, order: int = 0) -> np.ndarray:
    """[A, B]: derivative of the given order of -(F'' + (n+1)^2 F) for F in the basis."""
    return -(waves(angles_A, order + 2) + (n + 1) ** 2 * waves(angles_A, order))


def _carried(terms: list[np.ndarray], i: int, j: int, angles_A: np.ndarray) -> np.ndarray:
    w, w_slope = (vorticity(i, angles_A, order) @ terms[i] for order in (0, 1))
    f, f_slope = (waves(angles_A, order) @ terms[j] for order in (0, 1))
    return (i - 1) * w * f_slope - (j + 1) * w_slope * f


def corner_flow(along: Any, depth: Any, reynolds: float, highest: int = 2) -> list[Any]:
    """Re^n r^(n+1) F_n for every n, jets [N, 1] of the distances to the wall (along the lid) and to the lid."""
    r = torch.sqrt(along * along + depth * depth)
    angle = 2 * torch.atan(depth / (r + along))
    k = torch.arange(WAVES + 1, dtype=angle.dtype)
    waves_NB = torch.cat([torch.cos(angle * k), torch.sin(angle * k[1:])], -1)
    terms = [torch.as_tensor(term, dtype=angle.dtype)[None] for term in corner_terms(highest)]
    return [functional.linear(waves_NB, f) * r ** (n + 1) * reynolds**n for n, f in enumerate(terms)]
