"""The diagonal of a symmetric matrix known by its products, with the error of every entry. Legend: P = its size."""

from collections.abc import Callable

import torch
from torch import Tensor

from zoo.errors import InputError
from zoo.probes.trace import random_signs


def diagonal(
    product: Callable[[Tensor], Tensor], like_P: Tensor, samples: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """(diagonal [P], its standard errors [P]): mean_k z_k * A z_k over random signs z.

    The variance of entry i is sum_j!=i A_ij^2 / K: exact for a diagonal A. Bekas, Kokiopoulou and Saad (2007).

    Args:
        product: v -> A v.
        like_P: a vector whose size, dtype and device are taken.
        samples: K, 2 or more.
        generator: on the CPU.

    Raises:
        InputError: fewer than two samples, which show no error.

    >>> diagonal(lambda v: torch.tensor([1.0, 2.0]) * v, torch.zeros(2), 2, torch.Generator())[0].tolist()
    [1.0, 2.0]
    """
    if samples < 2:
        raise InputError(f"diagonal: expected 2 samples or more, got {samples}; raise them")
    mean_P, squares_P = torch.zeros_like(like_P), torch.zeros_like(like_P)
    for number in range(1, samples + 1):  # Welford (1962): no K vectors are held
        signs_P = random_signs(like_P, generator)
        one_P = signs_P * product(signs_P)
        change_P = one_P - mean_P
        mean_P += change_P / number
        squares_P += change_P * (one_P - mean_P)
    return mean_P, (squares_P / (samples - 1) / samples).sqrt()
