"""Tensor grids over a box."""

import torch
from torch import Tensor


def axes_of(bounds: dict[str, tuple[float, float]], sizes: tuple[int, ...]) -> list[Tensor]:
    """Equidistant float64 places along each side of a box, both ends among them.

    >>> axes_of({"t": (0.0, 1.0)}, (3,))[0].tolist()
    [0.0, 0.5, 1.0]
    """
    sides = zip(bounds.values(), sizes, strict=True)
    return [torch.linspace(low, high, size, dtype=torch.float64) for (low, high), size in sides]


def grid_of(bounds: dict[str, tuple[float, float]], sizes: tuple[int, ...]) -> tuple[Tensor, tuple[int, ...]]:
    """(points [N, D] of a tensor grid over a box, float64, last coordinate fastest; its shape).

    >>> grid_of({"t": (0.0, 1.0), "x": (-1.0, 1.0)}, (2, 3))[0].tolist()[1]
    [0.0, 0.0]
    """
    grid = torch.meshgrid(*axes_of(bounds, sizes), indexing="ij")
    return torch.stack([axis.flatten() for axis in grid], 1), tuple(sizes)
