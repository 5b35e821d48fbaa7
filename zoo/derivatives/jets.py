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

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from zoo.derivatives.per_point import beside
from zoo.derivatives.smooth import SMOOTH
from zoo.derivatives.space import JetSpace
from zoo.errors import InputError


class NoJetRule(InputError):
    """A function through which a jet cannot go."""

    @property
    def short(self) -> str:
        """What is missing, without the mend."""
        return str(self).split(";")[0].split(",")[0]


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

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NoJetRule(f"Jet: no rule for the method {name}; expected torch's functions, such as torch.tanh(x)")

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
        wide = torch.broadcast_shapes(self.shape, getattr(other, "shape", ()))
        sum_CNF = self.coefficients_CNF.expand(-1, *wide).clone()
        sum_CNF[0] += self._beside(other)
        return Jet(self.space, sum_CNF)

    def __mul__(self, other: Any) -> "Jet":
        if not isinstance(other, Jet):
            return Jet(self.space, self.coefficients_CNF * self._beside(other))
        return Jet(self.space, _Product.apply(self.coefficients_CNF, other.coefficients_CNF, self.space))

    def _beside(self, other: Any) -> Any:
        return beside(other, len(self.coefficients_CNF[0]), 2)

    def __neg__(self) -> "Jet":
        return Jet(self.space, -self.coefficients_CNF)

    # By methods and not by operators below: torch.compile sends an operator with a jet to `__torch_function__`.
    def __sub__(self, other: Any) -> "Jet":
        return self.__add__(other.__neg__()) if isinstance(other, Jet) else self.__neg__().__add__(other).__neg__()

    def __rsub__(self, other: Any) -> "Jet":
        return self.__neg__().__add__(other)

    def __truediv__(self, other: Any) -> "Jet":
        return self.__mul__(torch.reciprocal(other) if isinstance(other, Jet) else 1 / self._beside(other))

    def __rtruediv__(self, other: Any) -> "Jet":
        return torch.reciprocal(self).__mul__(other)

    def __pow__(self, exponent: int) -> "Jet":
        if not isinstance(exponent, int) or exponent < 1:
            raise NoJetRule(f"Jet: expected a whole power of 1 or more, got {exponent!r}; write it with exp and log")
        out = self
        for _ in range(exponent - 1):
            out = out.__mul__(self)
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
            return _smooth(func, args[0])
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
    coefficients_CND = points_ND.new_zeros(d, len(space.names), n).permute(1, 2, 0)
    coefficients_CND[0] = points_ND
    for column, coordinate in enumerate(space.coordinates):
        if coordinate in space.names:
            coefficients_CND[space.place(coordinate), :, column] = 1
    return Jet(space, coefficients_CND)


class _Linear(torch.autograd.Function):
    """x W' on every derivative, the bias on the value alone, in one product."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x_CNF: Tensor, weight_GF: Tensor, bias_G: Tensor | None) -> Tensor:
        out_CNG = _product_of(weight_GF, x_CNF)
        if bias_G is not None:
            out_CNG[0] += bias_G
        return out_CNG

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        x_CNF, weight_GF, _ = inputs
        ctx.save_for_backward(x_CNF, weight_GF)

    @staticmethod
    def backward(ctx: Any, grad_CNG: Tensor) -> tuple[Tensor | None, ...]:
        x_CNF, weight_GF = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            _product_of(weight_GF.t(), grad_CNG) if needs_x else None,
            _rows(grad_CNG) @ _rows(x_CNF).t() if needs_weight else None,
            grad_CNG[0].sum(0) if needs_bias else None,
        )


def _rows(x_CNF: Tensor) -> Tensor:
    # [F, C * N]. Points lie innermost in memory: twice as fast as features innermost in products with small weights.
    return x_CNF.permute(2, 0, 1).flatten(1)


def _product_of(weight_GF: Tensor, x_CNF: Tensor) -> Tensor:
    return (weight_GF @ _rows(x_CNF)).unflatten(1, x_CNF.shape[:2]).permute(1, 2, 0)


def _linear(jet: Jet, weight: Tensor, bias: Tensor | None = None) -> Jet:
    calls = _CALLS.get()
    # A weight made of others, such as a weight norm's, stays in the graph: the Jacobian would lose them silently.
    frozen = not any(one is not None and one.requires_grad for one in (weight, bias))
    if calls is None or frozen or weight.grad_fn is not None:
        return Jet(jet.space, _Linear.apply(jet.coefficients_CNF, weight, bias))
    out = _Linear.apply(jet.coefficients_CNF, weight.detach(), None if bias is None else bias.detach())
    if not out.requires_grad:
        out.requires_grad_()
    calls.append(LinearCall(weight, bias, jet.coefficients_CNF.detach(), out))
    return Jet(jet.space, out)


class _Product(torch.autograd.Function):
    """Leibniz: a times b's value and b times a's value at once, then `space.crosses`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(a_CNF: Tensor, b_CNF: Tensor, space: JetSpace) -> Tensor:
        out = a_CNF * b_CNF[0]
        _add_product(out[1:], a_CNF[:1], b_CNF[1:])
        for place, weight, (i, j) in space.crosses:
            _add_product(out[place], a_CNF[i], b_CNF[j], weight)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        a_CNF, b_CNF, ctx.space = inputs
        ctx.save_for_backward(a_CNF, b_CNF)

    @staticmethod
    def backward(ctx: Any, grad_CNF: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        a, b = ctx.saved_tensors
        crosses = ctx.space.crosses
        mirrored = [(place, weight, (j, i)) for place, weight, (i, j) in crosses]
        needs_a, needs_b, _ = ctx.needs_input_grad
        return (
            _to_factor(grad_CNF, b, crosses).sum_to_size(a.shape) if needs_a else None,
            _to_factor(grad_CNF, a, mirrored).sum_to_size(b.shape) if needs_b else None,
            None,
        )


def _to_factor(grad_CNF: Tensor, other_CNF: Tensor, crosses: Sequence) -> Tensor:
    out = grad_CNF * other_CNF[0]
    for place in range(1, len(out)):
        _add_product(out[0], grad_CNF[place], other_CNF[place])
    for place, weight, (i, j) in crosses:
        _add_product(out[i], grad_CNF[place], other_CNF[j], weight)
    return out


class _Elementwise(torch.autograd.Function):
    """f of every feature: one node of the graph a layer, where autograd would keep a dozen tensors.

    Of every derivative, f' times its own coefficient is done for all of them in one product; what is left are the
    terms with f'' and higher, `space.bends`.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(z_CNF: Tensor, space: JetSpace, function: Callable) -> Tensor:
        value = function(z_CNF[0])
        if len(z_CNF) == 1:
            return value[None]
        z = z_CNF.unbind()
        f, known = [value, *SMOOTH[function](z[0], value, space.highest)], {}
        out = z_CNF * f[1]
        out[0] = value
        for place, m, weight, places in space.bends:
            _add_product(out[place], f[m], _product(z, places, known), weight)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        z_CNF, ctx.space, ctx.function = inputs
        ctx.save_for_backward(z_CNF, output)

    @staticmethod
    def backward(ctx: Any, grad_CNF: Tensor) -> tuple[Tensor, None, None]:
        # d/dz0: every f^(m) becomes f^(m+1). d/dz_k: every product of coefficients loses one factor z_k.
        z_CNF, out_CNF = ctx.saved_tensors
        z, grad, value = z_CNF.unbind(), grad_CNF.unbind(), out_CNF[0]
        f, known = [value, *SMOOTH[ctx.function](z[0], value, ctx.space.highest + 1)], {}
        out = grad_CNF * f[1]
        sums: dict[int, Tensor] = {}  # m -> what f^(m+1) multiplies in d/dz0
        for place, m, weight, places in ctx.space.chain:
            if m in sums:
                _add_product(sums[m], grad[place], _product(z, places, known), weight)
            else:
                sums[m] = grad[place] * _product(z, places, known)
                sums[m] = sums[m] * weight if weight != 1 else sums[m]
        for m, total in sums.items():
            _add_product(out[0], f[m + 1], total)
        for place, m, k, weight, rest in ctx.space.bend_partials:
            _add_product(out[k], grad[place] * f[m], _product(z, rest, known), weight)
        return out, None, None


def _add_product(out: Tensor, a: Tensor, b: Tensor, weight: float = 1.0) -> None:
    if torch._C._are_functorch_transforms_active():  # vmap has no rule for addcmul_
        out += a * b * weight
    else:
        out.addcmul_(a, b, value=weight)


def _product(z: Sequence[Tensor], places: tuple[int, ...], known: dict[tuple[int, ...], Tensor]) -> Tensor:
    if len(places) == 1:
        return z[places[0]]
    if places not in known:
        known[places] = _product(z, places[:-1], known) * z[places[-1]]
    return known[places]


def _smooth(func: Callable, jet: Jet) -> Jet:
    return Jet(jet.space, _Elementwise.apply(jet.coefficients_CNF, jet.space, func))


def _cat(jets: list[Any], dim: int = -1) -> Jet:
    if dim not in (-1, 1) or not all(isinstance(one, Jet) for one in jets):
        raise NoJetRule("Jet: expected torch.cat of jets along their last dimension; mend the net")
    parts = [one.coefficients_CNF.permute(2, 0, 1) for one in jets]  # points stay innermost in memory
    return Jet(jets[0].space, torch.cat(parts).permute(1, 2, 0))


def _add(a: Any, b: Any) -> Jet:
    return a.__add__(b) if isinstance(a, Jet) else b.__add__(a)


def _sub(a: Any, b: Any) -> Jet:
    return a.__sub__(b) if isinstance(a, Jet) else b.__rsub__(a)


def _mul(a: Any, b: Any) -> Jet:
    return a.__mul__(b) if isinstance(a, Jet) else b.__mul__(a)


def _div(a: Any, b: Any) -> Jet:
    return a.__truediv__(b) if isinstance(a, Jet) else b.__rtruediv__(a)


_RULES: dict[Callable, Callable] = {
    functional.linear: _linear,
    functional.softplus: lambda jet, beta=1.0, threshold=20.0: _smooth(functional.softplus, jet * beta) * (1 / beta),
    functional.dropout: lambda jet, p=0.0, training=True, inplace=False: _no_dropout(jet, p, training),
    torch.cat: _cat,
    torch.neg: Jet.__neg__,
    torch.Tensor.__rsub__: lambda a, b: _sub(b, a),
    torch.Tensor.__rtruediv__: lambda a, b: _div(b, a),
    **dict.fromkeys([torch.add, torch.Tensor.add], _add),
    **dict.fromkeys([torch.sub, torch.Tensor.sub], _sub),
    **dict.fromkeys([torch.mul, torch.Tensor.mul], _mul),
    **dict.fromkeys([torch.div, torch.Tensor.div], _div),
}


def _no_dropout(jet: Jet, p: float, training: bool) -> Jet:
    if training and p:
        raise NoJetRule("Jet: dropout has no derivative to the inputs; expected p=0, got more; leave it out")
    return jet
