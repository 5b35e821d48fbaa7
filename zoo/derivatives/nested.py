"""Nested autograd: derivatives of any smooth net to its inputs, one backward pass an order, where jets refuse."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zoo.derivatives.per_point import CopiedParameters
from zoo.derivatives.space import LAPLACIAN, JetSpace, order
from zoo.errors import InputError

# Functions made of straight pieces: a second derivative of zero almost everywhere, from which nothing can be learnt.
PIECEWISE_LINEAR = frozenset(
    {"abs", "clip", "clamp", "maximum", "minimum", "prelu", "relu6", "hardtanh", "hardsigmoid", "max_pool1d"}
    | {name + ending for name in ("relu", "leaky_relu", "rrelu", "threshold", "hardtanh") for ending in ("", "_")}
)


class Nested:
    """Value and derivatives of a net at points, read as those of a `Jet`; each is found when it is first asked for.

    Args:
        value_NF: the net at the points, with its graph.
        points_ND: they require gradients.
        space: which derivatives.
        differentiable: keep the graph, so that the derivatives have gradients to the parameters.
    """

    def __init__(self, value_NF: Tensor, points_ND: Tensor, space: JetSpace, differentiable: bool):
        self.space, self._value_NF, self._points_ND = space, value_NF, points_ND
        self._differentiable = differentiable
        self._gradients: dict[str, Tensor] = {}  # name -> [N, F, D], the gradient of that derivative

    def __getitem__(self, key: Any) -> Any:
        """A derivative by its name, [N, F]; or that of chosen features, `u[..., 0:1]`."""
        with torch.enable_grad():  # a derivative without a graph would have a next one of zero
            if not isinstance(key, str):
                return Nested(self._value_NF[key], self._points_ND, self.space, self._differentiable)
            self.space.place(key)  # refuses what the equation did not ask for
            found = self._laplacian() if key == LAPLACIAN else self._derivative(self.space.canonical(key))
        return found if self._differentiable else found.detach()

    @property
    def shape(self) -> torch.Size:
        """[N, F], that of the value."""
        return self._value_NF.shape

    @property
    def dtype(self) -> torch.dtype:
        """Of the value."""
        return self._value_NF.dtype

    def _laplacian(self) -> Tensor:
        return sum(self._derivative(2 * letter) for letter in self.space.space)

    def _derivative(self, name: str) -> Tensor:
        if not name:
            return self._value_NF
        lower, last = name[:-1], name[-1]
        if lower not in self._gradients:
            self._gradients[lower] = self._gradient(self._derivative(lower))
        return self._gradients[lower][..., self.space.coordinates.index(last)]

    def _gradient(self, lower_NF: Tensor) -> Tensor:
        if not lower_NF.requires_grad:  # constant
            return lower_NF[..., None] * torch.zeros_like(self._points_ND)[:, None]
        parts = [
            torch.autograd.grad(one, self._points_ND, create_graph=True, materialize_grads=True, allow_unused=True)
            for one in lower_NF.sum(0)
        ]
        return torch.stack([part for (part,) in parts], 1)


def nested_of(net: nn.Module, points_ND: Tensor, space: JetSpace) -> Nested:
    """The net at the points, with derivatives by nested autograd.

    Raises:
        InputError: a second derivative of a net made of straight pieces, which is zero.

    >>> u = nested_of(torch.nn.Tanh(), torch.zeros(2, 1), JetSpace(("x",), frozenset({"xxx"})))
    >>> u["xxx"].tolist()
    [[-2.0], [-2.0]]
    """
    differentiable = torch.is_grad_enabled()
    with torch.enable_grad(), CopiedParameters(), _Pieces(max(map(order, space.names))):
        points_ND = points_ND.detach().requires_grad_()
        return Nested(net(points_ND), points_ND, space, differentiable)


class _Pieces(TorchFunctionMode):
    """Refuses functions made of straight pieces where second derivatives are wanted."""

    def __init__(self, highest: int):
        super().__init__()
        self.highest = highest

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = getattr(func, "__name__", "")
        if self.highest > 1 and name in PIECEWISE_LINEAR:
            raise InputError(
                f"net: a derivative order the net cannot give: expected up to 1 of {name}, whose second derivative is "
                f"zero, got {self.highest}; take a smooth activation such as tanh"
            )
        return func(*args, **(kwargs or {}))
