"""The error that a computed solution is certified to."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

ROUNDING = 1e-14


def self_convergence(fine: Any, coarse: Any) -> float:
    """Relative l2 difference of two runs of different resolution, and not below rounding.

    It bounds the error of the finer one wherever refining makes the error smaller, as the order tests show it does.
    """
    fine, coarse = np.asarray(fine), np.asarray(coarse)
    return max(float(np.linalg.norm(fine - coarse) / np.linalg.norm(fine)), ROUNDING)


def certified(solve: Callable[[float], np.ndarray], coarser: float = 1.5) -> tuple[Tensor, float]:
    """(values, self-convergence error) of a solver of one argument: by how much to coarsen it, 1 for not at all."""
    fine = solve(1.0)
    return torch.from_numpy(fine), self_convergence(fine, solve(coarser))
