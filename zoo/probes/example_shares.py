"""Every example's share of a batch's gradient, gathered by hooks while the batch's own backward runs.

Legend: B = examples of a batch.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.probes.apart import refuse_mixing, refuse_other_lengths, refuse_shards
from zoo.probes.ghost import RULES, ghost_squares
from zoo.probes.layer_copies import copied_squares, output_tensors, recurrent_squares
from zoo.probes.through_time import RecurrentCall, recurrent_calls
from zoo.probes.watched_layers import watched_layers


class ExampleShares:
    """Squared norms of every example's share of one batch's gradient, gathered while the backward runs.

    The loss is a sum over examples of shares, each of which depends on its own example (a mean is one); the share's
    gradient is 1/B of the example's where the loss is the mean.

    Args:
        net: the module that will be watched.

    Raises:
        InputError: the net mixes the examples of a batch, or holds shards of parameters.
    """

    def __init__(self, net: nn.Module):
        refuse_shards(net.named_parameters())
        refuse_mixing(net)
        self.paused = False
        self.examples = 0
        self.squares: dict[str, Tensor] = {}
        self._waiting: dict[str, int] = {}  # layer -> calls whose gradients have not come back
        self._calls: dict[str, list[Any]] = {}

    def begin(self, examples: int) -> None:
        """Say how many examples there are, before the backward."""
        self.examples = examples

    def note_call(self, layer: str) -> None:
        """A forward of a layer: its backward will be waited for."""
        self._waiting[layer] = self._waiting.get(layer, 0) + 1

    def note_gradient(self, layer: str, call: Any, squares: Callable[[list[Any]], dict[str, Tensor]]) -> None:
        """A backward of a layer; behind the last one the layer's calls become numbers and are let go."""
        if self.paused:
            return
        self._calls.setdefault(layer, []).append((call, squares))
        self._waiting[layer] -= 1
        if not self._waiting[layer]:
            self._close(layer)

    def close(self, used: set[str]) -> dict[str, Tensor]:
        """Parameter -> [B], when the backward is done.

        Args:
            used: names of parameters that got a gradient.

        Raises:
            InputError: one of them has got it past the layer that owns it.
        """
        for layer in list(self._calls):  # of a call that no loss depends on nothing comes back
            self._close(layer)
        past = sorted(used - self.squares.keys())
        if past:
            raise InputError(
                f"per-example gradients: expected parameters used by the layers that own them, got {past[0]} used "
                "elsewhere; call the layer, or freeze the parameter"
            )
        return self.squares

    @torch.no_grad()
    def _close(self, layer: str) -> None:
        calls = self._calls.pop(layer)
        prefix = f"{layer}." if layer else ""
        for name, square in calls[0][1]([call for call, _ in calls]).items():
            self.squares[prefix + name] = square


@contextmanager
def watch_examples(net: nn.Module, shares: ExampleShares) -> Iterator[None]:
    """Gather shares in the forwards inside the block and the backwards of their graphs; no hook is left behind."""
    handles, recurrent = [], set()
    try:
        for name, layer in watched_layers(net):
            if type(layer) in (nn.LSTM, nn.GRU, nn.RNN):
                recurrent.add(name)
            else:
                hook = _ghost_hook if type(layer) in RULES else _copy_hook
                handles.append(layer.register_forward_hook(partial(hook, name, shares), with_kwargs=True))
        with recurrent_calls(net, partial(_note, shares, recurrent), partial(_recurrent, shares)):
            yield
    finally:
        for handle in handles:
            handle.remove()


def _ghost_hook(name: str, shares: ExampleShares, layer: nn.Module, args: tuple, kwargs: dict, output: Tensor) -> None:
    if shares.paused or not output.requires_grad:
        return
    inputs = (args[0] if args else kwargs["input"]).detach()
    shares.note_call(name)

    def arrived(deltas: Tensor) -> None:
        if not shares.paused:
            refuse_other_lengths(name, inputs, shares.examples)
            shares.note_gradient(name, (inputs, deltas.detach()), partial(ghost_squares, layer))

    output.register_hook(arrived)


def _copy_hook(name: str, shares: ExampleShares, layer: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
    tensors = output_tensors(output)
    wanted = [one for one in tensors if one.requires_grad]
    if shares.paused or not wanted:
        return
    shares.note_call(name)

    def arrived(gradients: Any) -> None:
        if not shares.paused:
            found = iter(gradients)
            aligned = [next(found) if one.requires_grad else None for one in tensors]
            squares = partial(copied_squares, layer, examples=shares.examples)
            shares.note_gradient(name, (args, kwargs, aligned), squares)

    torch.autograd.graph.register_multi_grad_hook(wanted, arrived)


def _note(shares: ExampleShares, watched: set[str], call: RecurrentCall) -> bool:
    wanted = call.layer in watched and not shares.paused
    if wanted:
        shares.note_call(call.layer)
    return wanted


def _recurrent(shares: ExampleShares, call: RecurrentCall) -> None:
    shares.note_gradient(call.layer, call, recurrent_squares)
