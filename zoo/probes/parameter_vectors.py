"""Named parameters as one vector [P] and back, in the order of their names' mapping."""

from collections.abc import Mapping

import torch
from torch import Tensor

Parameters = Mapping[str, Tensor]


def vector_of(params: Parameters) -> Tensor:
    """[P], a copy.

    >>> vector_of({"a": torch.ones(1, 2), "b": torch.zeros(1)}).tolist()
    [1.0, 1.0, 0.0]
    """
    return torch.cat([part.detach().reshape(-1) for part in params.values()])


def parts_of(vector_P: Tensor, like: Parameters) -> dict[str, Tensor]:
    """The vector's stretches as views shaped like the parameters.

    >>> parts_of(torch.tensor([1.0, 2.0]), {"a": torch.zeros(1, 2)})
    {'a': tensor([[1., 2.]])}
    """
    pieces = vector_P.split([part.numel() for part in like.values()])
    return {name: piece.view_as(part) for (name, part), piece in zip(like.items(), pieces, strict=True)}


def moved(params: Parameters, direction_P: Tensor, distance: float = 1.0) -> dict[str, Tensor]:
    """theta + distance * direction.

    >>> moved({"a": torch.ones(2)}, torch.tensor([1.0, 0.0]), 0.5)
    {'a': tensor([1.5000, 1.0000])}
    """
    parts = parts_of(direction_P, params)
    return {name: part.detach() + distance * parts[name] for name, part in params.items()}
