"""The trace of a symmetric matrix known by its products, with its standard error.

Legend: P = size of the matrix, K = test vectors.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import InputError


@dataclass(frozen=True)
class Estimate:
    """A number and the standard error of its estimate."""

    value: float
    standard_error: float


def hutchinson_trace(
    product: Callable[[Tensor], Tensor], like_P: Tensor, samples: int, generator: torch.Generator
) -> Estimate:
    """mean_k z_k' A z_k over random signs z: unbiased, variance 2 (|A|_F^2 - sum_i A_ii^2) / K. Hutchinson (1990).

    Args:
        product: v -> A v.
        like_P: a vector whose size, dtype and device are taken.
        samples: K, 2 or more.
        generator: on the CPU.

    >>> hutchinson_trace(lambda v: torch.tensor([1.0, 2.0]) * v, torch.zeros(2), 2, torch.Generator()).value
    3.0
    """
    _refuse(samples, 2)
    return _estimate([float(z_P @ product(z_P)) for z_P in (random_signs(like_P, generator) for _ in range(samples))])


def hutch_plus_plus(
    product: Callable[[Tensor], Tensor], like_P: Tensor, products: int, generator: torch.Generator
) -> Estimate:
    """tr Q'AQ + Hutchinson's estimate of the rest, Q a basis of what a third of the products reach of A's range.

    The error falls as 1 / products where Hutchinson's falls as its root, since the large eigenvalues, of which most of
    the variance comes, are in the exact part. Meyer, Musco, Musco and Woodruff (2021), algorithm 1. The standard error
    is that of the rest.

    Args:
        product: v -> A v.
        like_P: a vector whose size, dtype and device are taken.
        products: 6 or more; a third each for the range, the exact part and the rest. With 3 P of them it is exact.
        generator: on the CPU.

    >>> round(hutch_plus_plus(lambda v: torch.tensor([1.0, 2.0]) * v, torch.zeros(2), 6, torch.Generator()).value, 4)
    3.0
    """
    _refuse(products, 6)
    third = products // 3
    sketch_PK = torch.stack([product(random_signs(like_P, generator)) for _ in range(min(third, len(like_P)))], 1)
    basis_PK = torch.linalg.qr(sketch_PK).Q
    exact = sum(float(column_P @ product(column_P)) for column_P in basis_PK.unbind(1))

    def rest() -> float:
        z_P = random_signs(like_P, generator)
        z_P = z_P - basis_PK @ (basis_PK.t() @ z_P)
        return float(z_P @ product(z_P))

    left = _estimate([rest() for _ in range(products - 2 * third)])
    return Estimate(exact + left.value, left.standard_error)


def random_signs(like_P: Tensor, generator: torch.Generator) -> Tensor:
    """[P] of -1 and 1."""
    return (torch.randint(2, like_P.shape, generator=generator) * 2 - 1).to(like_P)


def _estimate(values: list[float]) -> Estimate:
    found = torch.tensor(values, dtype=torch.float64)
    return Estimate(float(found.mean()), float(found.std() / len(values) ** 0.5))


def _refuse(given: int, least: int) -> None:
    if given < least:
        raise InputError(f"trace: expected {least} products or more, got {given}; raise them")
