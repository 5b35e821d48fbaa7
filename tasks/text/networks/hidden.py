"""Fully connected layers between a sentence's features and its scores."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

from zoo.errors import InputError


def hidden_layers(
    features: int, sizes: Sequence[int], activation: Callable[[], nn.Module], dropout: float
) -> tuple[nn.Sequential, int]:
    """(dropout, linear, activation) for every size, and how many features come out; no size passes features on.

    Raises:
        InputError: a size below 1.

    >>> hidden_layers(300, [50], nn.ReLU, 0.5)[1], hidden_layers(300, [], nn.ReLU, 0.5)[1]
    (50, 300)
    """
    if any(size < 1 for size in sizes):
        raise InputError(f"net.hidden_sizes: expected sizes of 1 or more, got {list(sizes)}; mend the recipe")
    widths = [features, *sizes]
    layers = []
    for before, after in pairwise(widths):
        layers += [nn.Dropout(dropout), nn.Linear(before, after), activation()]
    return nn.Sequential(*layers), widths[-1]
