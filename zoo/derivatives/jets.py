"""Taylor mode: a net's value and its derivatives to the inputs in one forward pass.

A `Jet` goes through a net in the place of a tensor. Linear layers act on all its derivatives in one product,
elementwise functions by Faa di Bruno's formula, products by Leibniz; nothing is differentiated by autograd but the
parameters. Griewank and Walther (2008), chapter 13; Bettencourt, Johnson and Duvenaud (2019); collapsed Laplacian:
Dangel et al. (2025).

Shapes: C derivatives, N points, F features.

>>> net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()
>>> points = torch.rand(5, 2, dtype=torch.float64)
>>> u = net(jet_of(points, JetSpace(("t", "x"), frozenset({"t", "xx"}))))
>>> u["xx"].shape
torch.Size([5, 1])
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from zoo.derivatives.smooth import SMOOTH
from zoo.derivatives.space import JetSpace
from zoo.errors import InputError


class NoJetRule(InputError):
    """A function through which a jet cannot go."""


@dataclass(frozen=True)
class LinearCall:
    """One product with a weight, as the Jacobian of single points needs it: what went in, and what came out."""

    weight: Tensor
    bias: Tensor | None
    inputs_CNF: Tensor
    outputs_CNG: Tensor


_CALLS: ContextVar[list[LinearCall] | None] = ContextVar("linear calls", default=None)


@contextmanager
def linear_calls() -> Iterator[list[LinearCall]]:
    """Record every linear layer that jets pass; weights are detached there, and the outputs carry the gradient."""
    calls: list[LinearCall] = []
    token = _CALLS.set(calls)
    try:
        yield calls
    finally:
        _CALLS.reset(token)


class Jet:
    """Value and derivatives of a function of the coordinates, at N points.

    Args:
        space: which derivatives.
        coefficients_CNF: their values in the order of `space.names`.
    """

    def __init__(self, space: JetSpace, coefficients_CNF: Tensor):
        self.space, self.coefficients_CNF = space, coefficients_CNF

    def __getitem__(self, key: Any) -> Any:
        """A derivative by its name, [N, F]; or the jet of chosen features, `jet[..., 0:1]`."""
        if isinstance(key, str):
            return self.coefficients_CNF[self.space.place(key)]
        if not (isinstance(key, tuple) and key and key[0] is Ellipsis and len(key) == 2):
            raise NoJetRule(f"Jet: expected an index of features such as [..., 0:1], got {key!r}; mend the net")
        return Jet(self.space, self.coefficients_CNF[key])

    @property
    def shape(self) -> torch.Size:
        """[N, F], that of the value."""
        return self.coefficients_CNF.shape[1:]

    @property
    def dtype(self) -> torch.dtype:
        """Of the value."""
        return self.coefficients_CNF.dtype

    def __add__(self, other: Any) -> "Jet":
        if isinstance(other, Jet):
            return Jet(self.space, self.coefficients_CNF + other.coefficients_CNF)
        return Jet(self.space, torch.cat([self.coefficients_CNF[:1] + other, self._derivatives_as(other)]))

    def _derivatives_as(self, other: Any) -> Tensor:
        # Adding a wider constant widens the value; its derivatives follow.
        derivatives = self.coefficients_CNF[1:]
        return derivatives + torch.zeros_like(other) if isinstance(other, Tensor) else derivatives

    def __mul__(self, other: Any) -> "Jet":
        if not isinstance(other, Jet):
            return Jet(self.space, self.coefficients_CNF * other)
        a, b = self.coefficients_CNF, other.coefficients_CNF
        sums = [sum(w * a[i] * b[j] for w, (i, j) in terms) for terms in self.space.product_terms]
        return Jet(self.space, torch.stack(sums))

    def __neg__(self) -> "Jet":
        return self * -1.0

    def __sub__(self, other: Any) -> "Jet":
        return self + -other

    def __rsub__(self, other: Any) -> "Jet":
        return -self + other

    def __truediv__(self, other: Any) -> "Jet":
        return self * torch.reciprocal(other) if isinstance(other, Jet) else self * (1 / other)

    def __rtruediv__(self, other: Any) -> "Jet":
        return torch.reciprocal(self) * other

    def __pow__(self, exponent: int) -> "Jet":
        if not isinstance(exponent, int) or exponent < 1:
            raise NoJetRule(f"Jet: expected a whole power of 1 or more, got {exponent!r}; write it with exp and log")
        out = self
        for _ in range(exponent - 1):
            out = out * self
        return out

    __radd__, __rmul__ = __add__, __mul__

    @classmethod
    def __torch_function__(cls, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """torch's functions on jets: linear layers, elementwise functions, sums, products, concatenation."""
        kwargs = kwargs or {}
        if func in _RULES:
            return _RULES[func](*args, **kwargs)
        if func in SMOOTH:
            if kwargs.get("approximate", "none") != "none":
                raise NoJetRule("Jet: expected the exact GELU, got its tanh approximation; leave `approximate` out")
            jet = args[0]
            return Jet(jet.space, _Elementwise.apply(jet.coefficients_CNF, jet.space, func))
        name = getattr(func, "__name__", str(func))
        raise NoJetRule(
            f"Jet: no rule for {name}, whose derivatives are zero or unknown; expected one of "
            f"{', '.join(sorted(f.__name__ for f in SMOOTH))}; change the net's activation, or use nested autograd"
        )


def jet_of(points_ND: Tensor, space: JetSpace) -> Jet:
    """The coordinates themselves as a jet: their values, first derivatives one, the others zero."""
    n, d = points_ND.shape
    if d != len(space.coordinates):
        raise InputError(f"points: expected [N, {len(space.coordinates)}], got {[n, d]}; mend the points")
    coefficients_CND = points_ND.new_zeros(len(space.names), n, d)
    coefficients_CND[0] = points_ND
    for column, coordinate in enumerate(space.coordinates):
        if coordinate in space.names:
            coefficients_CND[space.place(coordinate), :, column] = 1
    return Jet(space, coefficients_CND)


class _Linear(torch.autograd.Function):
    """x W' on every derivative, the bias on the value alone, in one product."""

    @staticmethod
    def forward(ctx: Any, x_CNF: Tensor, weight_GF: Tensor, bias_G: Tensor | None) -> Tensor:
        ctx.save_for_backward(x_CNF, weight_GF)
        out_CNG = x_CNF @ weight_GF.t()
        if bias_G is not None:
            out_CNG[0] += bias_G
        return out_CNG

    @staticmethod
    def backward(ctx: Any, grad_CNG: Tensor) -> tuple[Tensor | None, ...]:
        x_CNF, weight_GF = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            grad_CNG @ weight_GF if needs_x else None,
            grad_CNG.flatten(0, 1).t() @ x_CNF.flatten(0, 1) if needs_weight else None,
            grad_CNG[0].sum(0) if needs_bias else None,
        )


def _linear(jet: Jet, weight: Tensor, bias: Tensor | None = None) -> Jet:
    calls = _CALLS.get()
    if calls is None or not any(one is not None and one.requires_grad for one in (weight, bias)):  # a frozen layer
        return Jet(jet.space, _Linear.apply(jet.coefficients_CNF, weight, bias))
    out = _Linear.apply(jet.coefficients_CNF, weight.detach(), None if bias is None else bias.detach())
    if not out.requires_grad:
        out.requires_grad_()
    calls.append(LinearCall(weight, bias, jet.coefficients_CNF.detach(), out))
    return Jet(jet.space, out)


class _Elementwise(torch.autograd.Function):
    """f of every feature: one node of the graph a layer, where autograd would keep a dozen tensors."""

    @staticmethod
    def forward(ctx: Any, z_CNF: Tensor, space: JetSpace, function: Callable) -> Tensor:
        value = function(z_CNF[0])
        ctx.save_for_backward(z_CNF, value)
        ctx.space, ctx.function = space, function
        terms = space.chain_terms
        f = [value, *SMOOTH[function](z_CNF[0], value, _highest(terms))]
        out = torch.empty_like(z_CNF)
        out[0] = value
        for place in range(1, len(terms)):
            total = out[place].zero_()
            for m, polynomial in terms[place].items():
                total.addcmul_(f[m], _sum_of(polynomial, z_CNF))
        return out

    @staticmethod
    def backward(ctx: Any, grad_CNF: Tensor) -> tuple[Tensor, None, None]:
        # d/dz0: every f^(m) becomes f^(m+1). d/dz_k: the polynomials lose one factor z_k.
        z, value = ctx.saved_tensors
        if torch.is_grad_enabled():  # differentiated once more: the saved value has no graph
            value = ctx.function(z[0])
        terms = ctx.space.chain_terms
        f = [value, *SMOOTH[ctx.function](z[0], value, _highest(terms) + 1)]
        grads: list[Tensor | None] = [grad_CNF[0] * f[1], *[None] * (len(terms) - 1)]
        for place in range(1, len(terms)):
            for m, polynomial in terms[place].items():
                grads[0] = torch.addcmul(grads[0], grad_CNF[place] * f[m + 1], _sum_of(polynomial, z))
                scaled = grad_CNF[place] * f[m]
                for k, partial in _partials(polynomial).items():
                    piece = scaled * _sum_of(partial, z) if partial[0][1] else scaled * partial[0][0]
                    grads[k] = piece if grads[k] is None else grads[k] + piece
        return torch.stack([torch.zeros_like(z[0]) if g is None else g for g in grads]), None, None


def _highest(terms: tuple[dict, ...]) -> int:
    return max((m for by_order in terms for m in by_order), default=0)


def _sum_of(polynomial: tuple, z_CNF: Tensor) -> Tensor:
    total = None
    for weight, places in polynomial:
        term = z_CNF[places[0]]
        for place in places[1:]:
            term = term * z_CNF[place]
        term = term * weight if weight != 1 else term
        total = term if total is None else total + term
    return total


def _partials(polynomial: tuple) -> dict[int, tuple]:
    """d/dz_k of a polynomial for every k in it; a constant is the one term (value, ())."""
    out: dict[int, list] = {}
    for weight, places in polynomial:
        for k in set(places):
            rest = list(places)
            rest.remove(k)
            out.setdefault(k, []).append((weight * places.count(k), tuple(rest)))
    return {k: tuple(terms) for k, terms in out.items()}


def _cat(jets: list[Any], dim: int = -1) -> Jet:
    if dim not in (-1, 1) or not all(isinstance(one, Jet) for one in jets):
        raise NoJetRule("Jet: expected torch.cat of jets along their last dimension; mend the net")
    return Jet(jets[0].space, torch.cat([one.coefficients_CNF for one in jets], -1))


_RULES: dict[Callable, Callable] = {
    functional.linear: _linear,
    torch.cat: _cat,
    torch.add: lambda a, b: a + b,
    torch.Tensor.add: lambda a, b: b + a if isinstance(b, Jet) else a + b,
    torch.sub: lambda a, b: -b + a if isinstance(b, Jet) else a - b,
    torch.mul: lambda a, b: b * a if isinstance(b, Jet) else a * b,
    torch.Tensor.mul: lambda a, b: b * a if isinstance(b, Jet) else a * b,
    torch.Tensor.__rsub__: lambda a, b: b - a,
    torch.Tensor.sub: lambda a, b: -b + a,
    torch.neg: lambda a: -a,
    torch.div: lambda a, b: a / b,
    torch.nn.functional.dropout: lambda jet, p=0.0, training=True, inplace=False: _no_dropout(jet, p, training),
}


def _no_dropout(jet: Jet, p: float, training: bool) -> Jet:
    if training and p:
        raise NoJetRule("Jet: dropout has no derivative to the inputs; expected p=0, got more; leave it out")
    return jet
