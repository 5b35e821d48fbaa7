"""The trained parameters of an optimiser as one vector [P], for methods whose matrices act on all of them together."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer


def trained_parameters(optimizer: Optimizer) -> list[Tensor]:
    """Those that require a gradient, in the order of the groups: the order of the vector's entries."""
    return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]


def parameter_vector(parameters: Sequence[Tensor]) -> Tensor:
    """[P]: a copy of their entries.

    >>> parameter_vector([torch.ones(1, 2), torch.zeros(1)]).tolist()
    [1.0, 1.0, 0.0]
    """
    return torch.cat([parameter.detach().reshape(-1) for parameter in parameters])


def gradient_vector(parameters: Sequence[Tensor]) -> Tensor:
    """[P]: a copy of their gradients; zero where the loss did not reach."""
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in parameters])


@torch.no_grad()
def write_vector(vector_P: Tensor, parameters: Sequence[Tensor]) -> None:
    """Copy the entries into the parameters, which keep their own memory."""
    for parameter, part in zip(parameters, vector_P.split([p.numel() for p in parameters]), strict=True):
        parameter.copy_(part.view_as(parameter))
