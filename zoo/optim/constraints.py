"""Constraints: projections applied to the weights after every optimiser step."""

from abc import ABC, abstractmethod
from fnmatch import fnmatch

import torch
from torch import nn

from zoo.errors import InputError
from zoo.optim.clipping import positive, shrinking, unit_norms


class Constraint(ABC):
    """Called with the net, changes its parameters in place."""

    @abstractmethod
    def __call__(self, net: nn.Module) -> None:
        """Project the parameters."""


class MaxNorm(Constraint):
    """w_i <- w_i min(1, max_norm / ||w_i||) for every unit i (row of a matrix, filter). Hinton et al. (2012).

    Args:
        max_norm: the largest l2 norm of a unit's incoming weights.
        parameters: which parameters, as a shell pattern over their names; biases never.

    Raises:
        InputError: no weight of the net matches.
    """

    def __init__(self, max_norm: float, parameters: str = "*weight"):
        self.max_norm, self.parameters = positive("MaxNorm.max_norm", max_norm), parameters

    @torch.no_grad()
    def __call__(self, net: nn.Module) -> None:
        """See `Constraint`."""
        chosen = [p for name, p in net.named_parameters() if p.dim() > 1 and fnmatch(name, self.parameters)]
        if not chosen:
            names = ", ".join(name for name, p in net.named_parameters() if p.dim() > 1)
            raise InputError(f"MaxNorm.parameters: expected a pattern over {names}, got {self.parameters!r}; mend it")
        for weight in chosen:
            norms = unit_norms(weight)
            weight.mul_(shrinking(norms, torch.full_like(norms, self.max_norm)))
