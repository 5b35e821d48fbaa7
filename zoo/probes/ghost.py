"""What a layer adds to every example's gradient, as factors whose norm is found without the gradient being there.

Legend: B = examples, M = groups of a convolution (1 elsewhere), T = positions, F = inputs, G = outputs, D = width of a
table, P = entries of a parameter.

A weight's gradient of example n is sum_t delta_nt a_nt'. Its square is sum_ts (delta_t . delta_s)(a_t . a_s), 2 T^2
numbers an example; where F G is less, the product itself is taken (Bu et al. 2022, "mixed ghost clipping"). Goodfellow
(2015), "Efficient per-example gradient computations"; Li et al. (2021) for sequences and embeddings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError

AT_ONCE = 2**22  # numbers that a chunk of examples may take besides what is there: 16 MB in float32


@dataclass(frozen=True)
class Products:
    """sum_t delta_t a_t' of every example and group."""

    inputs_BMFT: Tensor
    deltas_BMGT: Tensor

    def squares(self) -> Tensor:
        """[B], squared norm of each example's share."""
        a, d = self.inputs_BMFT, self.deltas_BMGT
        positions = a.shape[3]
        if positions == 1:
            return (a.square().sum(2) * d.square().sum(2)).sum((1, 2))
        if 2 * positions**2 < a.shape[2] * d.shape[2]:
            return ((a.mT @ a) * (d.mT @ d)).sum((1, 2, 3))
        return (d @ a.mT).square().sum((1, 2, 3))

    @staticmethod
    def joined(parts: Sequence["Products"]) -> "Products":
        """The sum over several calls of one layer: their positions side by side."""
        if len(parts) == 1:
            return parts[0]
        return Products(torch.cat([p.inputs_BMFT for p in parts], 3), torch.cat([p.deltas_BMGT for p in parts], 3))


@dataclass(frozen=True)
class Lookups:
    """Deltas added to the rows of a table that every example looked up."""

    indices_BT: Tensor
    deltas_BTD: Tensor

    def squares(self) -> Tensor:
        """As of `Products`, whose inputs are one-hot."""
        same_BTT = self.indices_BT[:, :, None] == self.indices_BT[:, None, :]
        return ((self.deltas_BTD @ self.deltas_BTD.mT) * same_BTT).sum((1, 2))

    @staticmethod
    def joined(parts: Sequence["Lookups"]) -> "Lookups":
        """As of `Products`."""
        if len(parts) == 1:
            return parts[0]
        return Lookups(torch.cat([p.indices_BT for p in parts], 1), torch.cat([p.deltas_BTD for p in parts], 1))


@dataclass(frozen=True)
class Rows:
    """The shares themselves, of parameters that have few entries."""

    rows_BP: Tensor

    def squares(self) -> Tensor:
        """As of `Products`."""
        return self.rows_BP.square().sum(1)

    @staticmethod
    def joined(parts: Sequence["Rows"]) -> "Rows":
        """As of `Products`."""
        return Rows(torch.stack([p.rows_BP for p in parts]).sum(0))


Shares = dict[str, Products | Lookups | Rows]
Call = tuple[Tensor, Tensor]  # what a layer got, and dL/d of what it gave; examples along the first dimension


def ghost_squares(layer: nn.Module, calls: Sequence[Call]) -> dict[str, Tensor]:
    """Parameter -> squared norm of each example's share of its gradient, [B].

    Args:
        layer: of a type in `RULES`.
        calls: all of one forward; a layer that is called twice adds both to one gradient.

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> found = ghost_squares(layer, [(torch.tensor([[3.0, 4.0]]), torch.tensor([[2.0]]))])
    >>> found["weight"].tolist()
    [100.0]
    """
    rule = RULES[type(layer)]
    examples = len(calls[0][0])
    chunk = max(1, AT_ONCE // max(1, sum(_numbers(layer, *call) for call in calls)))
    parts: dict[str, list[Tensor]] = {}
    for start in range(0, examples, chunk):
        here = slice(start, start + chunk)
        found = [rule(layer, inputs[here], wide(deltas[here])) for inputs, deltas in calls]
        for name, parameter in layer.named_parameters(recurse=False):
            if parameter.requires_grad:
                shares = [one[name] for one in found]
                parts.setdefault(name, []).append(shares[0].joined(shares).squares())
    return {name: torch.cat(chunks) for name, chunks in parts.items()}


def wide(tensor: Tensor) -> Tensor:
    """In float32 at least: squares of half precision overflow."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _numbers(layer: nn.Module, inputs: Tensor, deltas: Tensor) -> int:
    # Of one example: its windows, and the smaller of the two products of `Products.squares`.
    kernel = prod(getattr(layer, "kernel_size", (1,)))
    windows = inputs[0].numel() * kernel // prod(getattr(layer, "stride", (1,)))
    weight = getattr(layer, "weight", None)
    if isinstance(layer, nn.Embedding):
        return inputs[0].numel() ** 2 + deltas[0].numel()
    positions = deltas[0].numel() // (1 if weight is None else len(weight))
    return windows + (0 if weight is None else min(2 * positions**2, weight.numel()))


def _linear(layer: nn.Linear, inputs: Tensor, deltas: Tensor) -> Shares:
    a_BTF, d_BTG = (one.reshape(len(one), -1, one.shape[-1]) for one in (wide(inputs), deltas))
    return {"weight": Products(a_BTF.mT[:, None], d_BTG.mT[:, None]), "bias": Rows(d_BTG.sum(1))}


def _convolution(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, inputs: Tensor, deltas: Tensor) -> Shares:
    a = wide(inputs)
    if layer.padding != "valid" and any(layer._reversed_padding_repeated_twice):
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        a = functional.pad(a, layer._reversed_padding_repeated_twice, mode=mode)
    a_BMFT = _windows(layer, a, deltas.shape[2:]).unflatten(1, (layer.groups, -1))
    d_BMGT = deltas.flatten(2).unflatten(1, (layer.groups, -1))
    return {"weight": Products(a_BMFT, d_BMGT), "bias": Rows(deltas.flatten(2).sum(2))}


def _windows(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, padded: Tensor, places: Sequence[int]) -> Tensor:
    # [B, channels times kernel, T]: the image once a kernel entry, shifted; three times as fast as torch's unfold.
    shifted = []
    for offsets in product(*(range(size) for size in layer.kernel_size)):
        starts = [offset * dilation for offset, dilation in zip(offsets, layer.dilation, strict=True)]
        spans = zip(starts, places, layer.stride, strict=True)
        shifted.append(padded[(..., *(slice(a, a + (n - 1) * stride + 1, stride) for a, n, stride in spans))])
    return torch.stack(shifted, 2).flatten(3).flatten(1, 2)


def _embedding(layer: nn.Embedding, inputs: Tensor, deltas: Tensor) -> Shares:
    if layer.scale_grad_by_freq:
        raise InputError(
            "Embedding: expected scale_grad_by_freq=False, got True, which mixes the examples of a batch; leave it out"
        )
    indices_BT, d_BTD = inputs.reshape(len(inputs), -1), deltas.reshape(len(inputs), -1, deltas.shape[-1])
    if layer.padding_idx is not None:
        d_BTD = d_BTD * (indices_BT != layer.padding_idx)[:, :, None]
    return {"weight": Lookups(indices_BT, d_BTD)}


def _channel_norm(normalised: Callable[[nn.Module, Tensor], Tensor]) -> Callable[..., Shares]:
    # Scale and shift one a channel, dimension 1.
    def rule(layer: nn.Module, inputs: Tensor, deltas: Tensor) -> Shares:
        scaled = deltas * normalised(layer, wide(inputs))
        return {
            "weight": Rows(scaled.reshape(*scaled.shape[:2], -1).sum(2)),
            "bias": Rows(deltas.reshape(*deltas.shape[:2], -1).sum(2)),
        }

    return rule


def _trailing_norm(normalised: Callable[[nn.Module, Tensor], Tensor]) -> Callable[..., Shares]:
    # Scale and shift one an entry of the last dimensions.
    def rule(layer: nn.Module, inputs: Tensor, deltas: Tensor) -> Shares:
        shape = (len(deltas), -1, prod(layer.normalized_shape))
        scaled = deltas * normalised(layer, wide(inputs))
        return {"weight": Rows(scaled.reshape(shape).sum(1)), "bias": Rows(deltas.reshape(shape).sum(1))}

    return rule


def _by_running_statistics(layer: nn.Module, x: Tensor) -> Tensor:
    # With the statistics of the batch a norm mixes its examples: zoo.probes.example_norms refuses that before.
    return functional.batch_norm(x, layer.running_mean.to(x), layer.running_var.to(x), eps=layer.eps)


def _by_own_statistics(layer: nn.Module, x: Tensor) -> Tensor:
    if layer.track_running_stats and not layer.training:
        return _by_running_statistics(layer, x)
    return functional.instance_norm(x, eps=layer.eps)


_batch = _channel_norm(_by_running_statistics)
_instance = _channel_norm(_by_own_statistics)

RULES: dict[type, Callable[..., Shares]] = {
    nn.Linear: _linear,
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), _convolution),
    nn.Embedding: _embedding,
    nn.LayerNorm: _trailing_norm(lambda one, x: functional.layer_norm(x, one.normalized_shape, eps=one.eps)),
    nn.RMSNorm: _trailing_norm(lambda one, x: functional.rms_norm(x, one.normalized_shape, eps=one.eps)),
    nn.GroupNorm: _channel_norm(lambda one, x: functional.group_norm(x, one.num_groups, eps=one.eps)),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d), _batch),
    **dict.fromkeys((nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d), _instance),
}
