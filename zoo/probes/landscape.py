"""The loss along lines and over planes through parameter space.

Goodfellow, Vinyals and Saxe (2015) for the straight line between two points; Li et al. (2018) for filter-normalised
directions, which make pictures of differently scaled nets comparable. Legend: P = parameters, A, B = distances.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.probes.curvature_products import Losses, mean_loss
from zoo.probes.parameter_vectors import Parameters, moved, vector_of


def filter_normalised(params: Parameters, generator: torch.Generator) -> Tensor:
    """[P]: a random direction whose every filter (row of a matrix, output channel of a convolution) is as long as the
    filter of the net; biases and norms' gains stay where they are, as in the paper.

    >>> row = filter_normalised({"w": torch.tensor([[3.0, 4.0]]), "b": torch.ones(1)}, torch.Generator().manual_seed(0))
    >>> round(row[:2].norm().item(), 4), row[2].item()
    (5.0, 0.0)
    """
    return torch.cat([_filters(part.detach(), generator).reshape(-1) for part in params.values()])


def _filters(part: Tensor, generator: torch.Generator) -> Tensor:
    if part.dim() < 2:
        return torch.zeros_like(part)
    drawn = torch.randn(part.shape, generator=generator, dtype=part.dtype).to(part.device).flatten(1)
    lengths = part.flatten(1).norm(dim=1, keepdim=True)
    return (drawn * lengths / drawn.norm(dim=1, keepdim=True)).view_as(part)


def loss_line(losses: Losses, params: Parameters, direction_P: Tensor, distances: Sequence[float]) -> Tensor:
    """[A]: L(theta + a direction).

    >>> loss_line(lambda p: p["x"].square().sum(), {"x": torch.ones(1)}, torch.ones(1), [-1.0, 0.0, 1.0]).tolist()
    [0.0, 1.0, 4.0]
    """
    return torch.stack([mean_loss(losses, moved(params, direction_P, a)) for a in distances])


def loss_plane(
    losses: Losses, params: Parameters, one_P: Tensor, other_P: Tensor, distances: Sequence[float]
) -> Tensor:
    """[A, B]: L(theta + a one + b other).

    >>> plane = loss_plane(lambda p: p["x"].prod(), {"x": torch.ones(2)}, torch.eye(2)[0], torch.eye(2)[1], [0.0, 1.0])
    >>> plane.tolist()
    [[1.0, 2.0], [2.0, 4.0]]
    """
    return torch.stack([loss_line(losses, moved(params, one_P, a), other_P, distances) for a in distances])


def path_between(start: Parameters, end: Parameters) -> Tensor:
    """[P]: from one point to another, so that distance 0 of a line through `start` is it and distance 1 the other.

    >>> path_between({"x": torch.ones(2)}, {"x": torch.zeros(2)}).tolist()
    [-1.0, -1.0]
    """
    return vector_of(end) - vector_of(start)
