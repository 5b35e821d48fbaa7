"""Elementwise functions with their derivatives of every order that jets need, from the value where it suffices."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

# (z, f(z), order) -> [f', f'', ..., f^(order)](z)
Derivatives = Callable[[Tensor, Tensor, int], list[Tensor]]


def _tanh(z: Tensor, y: Tensor, order: int) -> list[Tensor]:
    s = 1 - y * y
    out = [s]
    if order > 1:
        out.append(-2 * y * s)
    if order > 2:
        out.append(s * (4 - 6 * s))
    if order > 3:
        out.append(s * y * (24 * s - 8))
    if order > 4:  # d/dz of the fourth, with s' = -2ys and y' = s
        out.append(s * s * (24 * s - 8) - 2 * y * y * s * (48 * s - 8))
    return out


def _sigmoid(z: Tensor, y: Tensor, order: int) -> list[Tensor]:
    # sigmoid(z) = (1 + tanh(z / 2)) / 2
    inner = _tanh(z, 2 * y - 1, order)
    return [derivative / 2 ** (m + 2) for m, derivative in enumerate(inner)]


def _cycle(first: Callable, *rest: Callable) -> Derivatives:
    functions = (first, *rest)
    return lambda z, y, order: [functions[m % len(functions)](z) for m in range(order)]


def _exp(z: Tensor, y: Tensor, order: int) -> list[Tensor]:
    return [y] * order


def _power(exponent: float) -> Derivatives:
    def derivatives(z: Tensor, y: Tensor, order: int) -> list[Tensor]:
        out, factor = [], 1.0
        for m in range(order):
            factor *= exponent - m
            out.append(factor * z ** (exponent - m - 1) if factor else torch.zeros_like(z))
        return out

    return derivatives


def _log(z: Tensor, y: Tensor, order: int) -> list[Tensor]:
    return [(-1) ** m * math.factorial(m) / z ** (m + 1) for m in range(order)]


def _atan(z: Tensor, y: Tensor, order: int) -> list[Tensor]:
    # d^m/dz^m atan z = (m - 1)! cos^m y sin(m (y + pi / 2)), from 1 / (1 + z^2) = Im 1 / (z - i)
    return [math.factorial(m - 1) * torch.cos(y) ** m * torch.sin(m * (y + math.pi / 2)) for m in range(1, order + 1)]


def _softplus(z: Tensor, y: Tensor, order: int) -> list[Tensor]:
    value = torch.sigmoid(z)
    return [value, *_sigmoid(z, value, order - 1)] if order > 1 else [value]


def _times_z(value: Callable[[Tensor], Tensor], derivatives: Derivatives) -> Derivatives:
    # (z g)^(m) = z g^(m) + m g^(m-1)
    def of_product(z: Tensor, y: Tensor, order: int) -> list[Tensor]:
        g = value(z)
        all_g = [g, *derivatives(z, g, order)]
        return [z * all_g[m] + m * all_g[m - 1] for m in range(1, order + 1)]

    return of_product


def _normal_cdf(z: Tensor) -> Tensor:
    return 0.5 * torch.erfc(-z * math.sqrt(0.5))


def _normal_cdf_derivatives(z: Tensor, y: Tensor, order: int) -> list[Tensor]:
    density = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    hermite = [torch.ones_like(z), z]
    while len(hermite) < order:
        hermite.append(z * hermite[-1] - (len(hermite) - 1) * hermite[-2])
    return [(-1) ** m * hermite[m] * density for m in range(order)]


def _cos_after(z: Tensor) -> Tensor:
    return -torch.cos(z)


def _sin_after(z: Tensor) -> Tensor:
    return -torch.sin(z)


# torch function -> its derivatives. ReLU and its kin are absent: a second derivative of zero trains nothing.
SMOOTH: dict[Callable, Derivatives] = {
    torch.tanh: _tanh,
    torch.sigmoid: _sigmoid,
    torch.sin: _cycle(torch.cos, _sin_after, _cos_after, torch.sin),
    torch.cos: _cycle(_sin_after, _cos_after, torch.sin, torch.cos),
    torch.exp: _exp,
    torch.log: _log,
    torch.atan: _atan,
    torch.sqrt: _power(0.5),
    torch.reciprocal: _power(-1.0),
    torch.square: _power(2.0),
    torch.special.ndtr: _normal_cdf_derivatives,
    functional.softplus: _softplus,
    functional.silu: _times_z(torch.sigmoid, _sigmoid),
    functional.gelu: _times_z(_normal_cdf, _normal_cdf_derivatives),
}
