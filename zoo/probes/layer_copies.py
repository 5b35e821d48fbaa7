"""Per-example norms of any layer's gradient: vmap over the examples of the layer's own backward.

The forward and backward of the net run once, for the whole batch; only the layer is run again, example by example.
Legend: B = examples.
"""

import inspect
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_flatten, tree_unflatten

from zoo.errors import InputError
from zoo.probes.ghost import AT_ONCE, Products, Rows
from zoo.probes.through_time import RecurrentCall
from zoo.probes.unrolled import Direction

LayerCall = tuple[tuple, dict, Sequence[Tensor | None]]  # args, kwargs, gradients of every tensor that it gave


def copied_squares(layer: nn.Module, calls: Sequence[LayerCall], examples: int) -> dict[str, Tensor]:
    """Parameter -> squared norm of each example's share of its gradient, [B].

    Args:
        layer: any module that treats its examples apart, which lie along the first dimension (the second of an
            attention with batch_first=False).
        calls: all of one forward.
        examples: B; a tensor without a dimension of that length where the examples lie is shared by all.

    Raises:
        InputError: the layer draws random numbers, changes buffers or does something else that vmap cannot.
    """
    calls, masks = _without_masks(layer, calls)
    trained = {name: p.detach() for name, p in layer.named_parameters() if p.requires_grad}
    along = 0 if getattr(layer, "batch_first", True) else 1
    leaves, tree = tree_flatten([(args, kwargs, list(gradients)) for args, kwargs, gradients in calls])
    batched = [isinstance(one, Tensor) and one.dim() > along and one.shape[along] == examples for one in leaves]
    leaves = [one.detach() if isinstance(one, Tensor) else one for one in leaves]

    def squares(*chosen: Tensor) -> dict[str, Tensor]:
        mine, given = iter(chosen), list(leaves)
        for index, apart in enumerate(batched):
            if apart:
                given[index] = next(mine).unsqueeze(along)
        rows = [_pulled_back(layer, trained, *call) for call in zip(masks, tree_unflatten(given, tree), strict=True)]
        return {name: torch.stack([row[name] for row in rows]).sum(0).square().sum() for name in trained}

    apart = [one for one, chosen in zip(leaves, batched, strict=True) if chosen]
    size = sum(p.numel() for p in trained.values()) + sum(one[0].numel() for one in apart)
    try:
        # vmap runs fused kernels in a loop, with a warning: attention has another way, weight norm is right that way.
        with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop", UserWarning)
            return vmap(squares, in_dims=along, chunk_size=max(1, AT_ONCE // size))(*apart)
    except RuntimeError as error:
        raise InputError(
            f"{type(layer).__name__}: expected a layer that vmap runs example by example, without dropout inside, got "
            f"'{str(error).splitlines()[0]}'; put the net in eval mode or leave per-example gradients out"
        ) from error


def _without_masks(layer: nn.Module, calls: Sequence[LayerCall]) -> tuple[list[LayerCall], list[dict]]:
    # An attention's mask [T, T] is one for all examples, and may have as many rows as there are examples.
    if not isinstance(layer, nn.MultiheadAttention):
        return list(calls), [{} for _ in calls]
    named = [inspect.signature(layer.forward).bind(*args, **kwargs).arguments for args, kwargs, _ in calls]
    masks = [{"attn_mask": one.pop("attn_mask", None)} for one in named]
    split = any(mask is not None and mask.dim() == 3 for one in masks for mask in one.values())
    if split or (not layer.batch_first and any(one.get("key_padding_mask") is not None for one in named)):
        raise InputError(
            "MultiheadAttention: expected batch_first=True, or no mask of single examples, for per-example gradients; "
            "set it"
        )
    return [((), one, gradients) for one, (_, _, gradients) in zip(named, calls, strict=True)], masks


def _pulled_back(layer: nn.Module, trained: dict[str, Tensor], shared: dict, call: LayerCall) -> dict[str, Tensor]:
    args, kwargs, gradients = call

    def outputs(named: dict[str, Tensor]) -> list[Tensor]:
        found = output_tensors(functional_call(layer, named, args, {**kwargs, **shared}))
        return [one for one, gradient in zip(found, gradients, strict=True) if gradient is not None]

    values, pull = vjp(outputs, trained)
    given = [gradient for gradient in gradients if gradient is not None]
    return pull([gradient.to(value.dtype) for gradient, value in zip(given, values, strict=True)])[0]


def output_tensors(output: Any) -> list[Tensor]:
    """The floating-point tensors of what a layer gave, in order.

    >>> len(output_tensors((torch.zeros(1), None, {"more": torch.zeros(2)})))
    2
    """
    return [one for one in tree_flatten(output)[0] if isinstance(one, Tensor) and one.is_floating_point()]


def recurrent_squares(calls: Sequence[RecurrentCall]) -> dict[str, Tensor]:
    """`copied_squares` of an LSTM, GRU or RNN: dL/d of its gates at every step, from the layer written out in time."""
    found: dict[str, list[Products | Rows]] = {}
    for call in calls:
        rnn = call.rnn
        for one, gradients in call.unrolled_gradients(partial(_nodes, rnn)):
            steps, rest = len(one.hidden), list(gradients[1:])
            deltas = {"ih": gradients[0], "hh": gradients[0]}
            if rnn.mode == "GRU":
                deltas["hh"], rest = torch.stack(rest[:steps]), rest[steps:]
            inputs = {"ih": one.inputs_TBF.detach(), "hh": torch.stack(one.previous)}
            for kind, deltas_TBG in deltas.items():
                found.setdefault(f"bias_{kind}_{one.name}", []).append(Rows(deltas_TBG.sum(0)))
            if rnn.proj_size:
                inputs["hr"], deltas["hr"] = torch.stack(one.whole), torch.stack(rest)
            for kind, deltas_TBG in deltas.items():
                product = Products(_positions_last(inputs[kind]), _positions_last(deltas_TBG))
                found.setdefault(f"weight_{kind}_{one.name}", []).append(product)
    return {
        name: parts[0].joined(parts).squares()
        for name, parts in found.items()
        if (parameter := getattr(calls[0].rnn, name, None)) is not None and parameter.requires_grad
    }


def _nodes(rnn: nn.RNNBase, one: Direction) -> list[Tensor]:
    # LSTM and RNN add what inputs and hidden state say, so that both get one delta; a GRU's reset gate is between them.
    hidden_gates = one.hidden_gates if rnn.mode == "GRU" else []
    return [one.input_gates_TBG, *hidden_gates, *(one.hidden if rnn.proj_size else ())]


def _positions_last(rows_TBF: Tensor) -> Tensor:
    return rows_TBF.permute(1, 2, 0)[:, None]  # [B, 1, F, T]
