"""Derivatives of any net to its inputs: by jets where they go through it, else by nested autograd."""

import sys
from typing import Literal
from weakref import WeakSet

from torch import Tensor, nn

from zoo.derivatives.jets import Jet, NoJetRule, jet_of
from zoo.derivatives.nested import Nested, nested_of
from zoo.derivatives.space import JetSpace
from zoo.errors import InputError

Method = Literal["auto", "jets", "nested"]
_REFUSED: WeakSet[nn.Module] = WeakSet()


def derivatives_of(net: nn.Module, points_ND: Tensor, space: JetSpace, method: Method = "auto") -> Jet | Nested:
    """u with `u[""]`, `u["xx"]`, ... [N, K]: the net at the points, and its derivatives.

    Args:
        net: coordinates [N, D] -> fields [N, K].
        points_ND: the points.
        space: which derivatives.
        method: "jets" (one forward pass), "nested" (one backward pass an order), or "auto": jets, and nested autograd
            for a net with a function that they have no rule for, which is said once a net.

    Raises:
        NoJetRule: with "jets", a function that they have no rule for.
        InputError: an unknown method; second derivatives of a net made of straight pieces (ReLU).

    >>> import torch
    >>> u = derivatives_of(torch.nn.Tanh(), torch.zeros(2, 1), JetSpace(("x",), frozenset({"x"})))
    >>> u["x"].tolist()
    [[1.0], [1.0]]
    """
    if method not in ("auto", "jets", "nested"):
        raise InputError(f"derivatives: expected auto, jets or nested, got {method!r}; mend the recipe")
    if method == "nested" or (method == "auto" and net in _REFUSED):
        return nested_of(net, points_ND, space)
    try:
        return net(jet_of(points_ND, space))
    except NoJetRule as refusal:
        if method == "jets":
            raise
        reason = refusal
    u = nested_of(net, points_ND, space)
    _REFUSED.add(net)
    print(f"note: derivatives by nested autograd, which is slower ({reason.short})", file=sys.stderr)
    return u
