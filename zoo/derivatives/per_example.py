"""Jacobian of any function of one example to the parameters: vmap over examples of reverse-mode Jacobians."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.func import jacrev, vmap

from zoo.errors import InputError


def per_example_jacobian(
    function: Callable[[dict[str, Tensor], Any], Tensor],
    parameters: Mapping[str, Tensor],
    batch: Any,
    chunk: int | None = None,
) -> tuple[Tensor, Tensor]:
    """(values [B, K], Jacobian [B * K, P]) of K numbers an example; row b * K + k is number k of example b.

    The general form of `residual_jacobian`: any layers, K backward passes an example. Layers that mix the examples of a
    batch (batch norm in training mode) have no such Jacobian; put the net in eval mode.

    Args:
        function: (parameters, one example without its batch dimension) -> a number or [K].
        parameters: their entries, flattened in this order, are the columns.
        batch: a tensor or nested tuples and dicts of them, examples along the first dimension.
        chunk: examples at a time, all by default.

    Raises:
        InputError: the function returns more than one dimension.

    >>> values, jacobian = per_example_jacobian(lambda p, x: p["w"] @ x, {"w": torch.ones(2)}, torch.eye(2) * 3)
    >>> values.tolist(), jacobian.tolist()
    ([[3.0], [3.0]], [[3.0, 0.0], [0.0, 3.0]])
    """

    def with_value(named: dict[str, Tensor], example: Any) -> tuple[Tensor, Tensor]:
        value = function(named, example)
        if value.dim() > 1:
            raise InputError(
                f"per_example_jacobian: expected a number or [K] an example, got {list(value.shape)}; flatten it"
            )
        return value.reshape(-1), value.reshape(-1)

    named = {name: parameter.detach() for name, parameter in parameters.items()}
    jacobians, values_BK = vmap(jacrev(with_value, has_aux=True), in_dims=(None, 0), chunk_size=chunk)(named, batch)
    return values_BK, torch.cat([jacobians[name].flatten(2).flatten(0, 1) for name in named], 1)
