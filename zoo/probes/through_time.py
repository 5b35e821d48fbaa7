"""dL/dh_t: how the error signal fares on its way back through a recurrent layer.

Legend: T = time steps, B = examples, H = numbers of the hidden state.
dL/dh_t is the whole derivative: what the loss reads off h_t itself and all that later steps make of it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from zoo.errors import InputError
from zoo.probes.unchanged import unchanged
from zoo.probes.unrolled import Direction, time_first, unrolled
from zoo.training.random_state import set_torch_state, torch_state, torch_state_kept


def gradients_through_time(net: nn.Module, loss: Callable[[], Tensor]) -> dict[str, Tensor]:
    """Layer and quantity -> ||dL/dh_t|| over the batch [T], of every nn.LSTM, nn.GRU and nn.RNN in `net`.

    Hochreiter (1991); Bengio, Simard and Frasconi (1994): factors below 1 a step make it fade, above 1 explode.

    Args:
        net: any module. A layer that is called several times is read call by call: names end in #1, #2, ...
        loss: runs the net and returns a number.

    Returns:
        Names such as `rnn.h_l0`, `rnn.h_l0_reverse` and, of an LSTM, `rnn.c_l0`, t in the order of the inputs.

    >>> rnn = nn.RNN(1, 1, bias=False, nonlinearity="relu")
    >>> _ = [nn.init.constant_(weight, 0.5) for weight in rnn.parameters()]
    >>> found = gradients_through_time(nn.Sequential(rnn), lambda: rnn(torch.ones(3, 1, 1))[0][-1].sum())
    >>> found["0.h_l0"].tolist()
    [0.25, 0.5, 1.0]
    """
    return {
        name: torch.linalg.vector_norm(gradient_TBH, dim=(1, 2))
        for name, gradient_TBH in hidden_gradients(net, loss).items()
    }


def hidden_gradients(net: nn.Module, loss: Callable[[], Tensor]) -> dict[str, Tensor]:
    """Names as in `gradients_through_time` -> dL/dh_t of every example, [T, B, H]."""
    calls: list[RecurrentCall] = []
    with unchanged(net), recurrent_calls(net, lambda call: calls.append(call) or True), torch.enable_grad():
        value = loss()
        trained = [p for p in net.parameters() if p.requires_grad]
        torch.autograd.grad(value, trained, allow_unused=True)
    names = [call.layer for call in calls]
    found = {}
    for index, call in enumerate(calls):
        nth = f"#{names[: index + 1].count(call.layer)}" if names.count(call.layer) > 1 else ""
        for direction, gradients in call.unrolled_gradients(lambda one: [*one.hidden, *one.cells]):
            steps = len(direction.hidden)
            for kind, part in (("h", gradients[:steps]), ("c", gradients[steps:])):
                if part:
                    prefix = f"{call.layer}." if call.layer else ""
                    found[f"{prefix}{kind}_{direction.name}{nth}"] = torch.stack(list(part))
    return found


class RecurrentCall:
    """One forward of a recurrent layer: what went in, and the gradients that came back to what it gave."""

    def __init__(self, layer: str, rnn: nn.RNNBase, args: tuple, output: Any, random_state: list[Tensor]):
        self.layer, self.rnn, self._random_state = layer, rnn, random_state
        self._inputs, self._state = args[0], args[1] if len(args) > 1 else None
        self._packed = output[0] if isinstance(output[0], PackedSequence) else None
        final = output[1] if isinstance(output[1], tuple) else (output[1],)
        self.outputs = [output[0].data if self._packed is not None else output[0], *final]
        self.gradients: list[Tensor | None] = [None] * len(self.outputs)

    def unrolled_gradients(self, wanted: Callable[[Direction], list[Tensor]]) -> Iterator[tuple[Direction, tuple]]:
        """Every direction with the gradients to the nodes wanted of it, by a second forward of this layer alone.

        Raises:
            InputError: cuDNN drew dropout masks that cannot be drawn again.
        """
        rnn = self.rnn
        if rnn.training and rnn.dropout and rnn.num_layers > 1 and self._device() == "cuda":
            raise InputError(
                f"{self.layer or 'net'}: expected no dropout inside a recurrent layer on a GPU, got {rnn.dropout}; put "
                "the net in eval mode, or nn.Dropout between layers of one"
            )
        with torch_state_kept(), torch.enable_grad(), torch.autocast(self._device(), enabled=False):
            set_torch_state(self._random_state)
            again = unrolled(self.rnn, _detached(self._inputs), _detached(self._state))
        ends = [again.output, *again.final]
        given = [None if g is None else g.to(e.dtype) for g, e in zip(self._time_first(), ends, strict=True)]
        pairs = [(end, gradient) for end, gradient in zip(ends, given, strict=True) if gradient is not None]
        nodes = [node for one in again.directions for node in wanted(one)]
        if not pairs:
            found = tuple(torch.zeros_like(node) for node in nodes)
        else:
            values, gradients = zip(*pairs, strict=True)
            found = torch.autograd.grad(values, nodes, gradients, allow_unused=True, materialize_grads=True)
        start = 0
        for one in again.directions:
            count = len(wanted(one))
            yield one, found[start : start + count]
            start += count

    def _time_first(self) -> list[Tensor | None]:
        first = self.gradients[0]
        if first is not None:
            packed = self._packed
            first = first if packed is None else PackedSequence(first, *packed[1:])
            first, _ = time_first(self.rnn, first)
        return [first, *self.gradients[1:]]

    def _device(self) -> str:
        return self.outputs[0].device.type


@contextmanager
def recurrent_calls(
    net: nn.Module, noted: Callable[[RecurrentCall], bool], closed: Callable[[RecurrentCall], None] = lambda call: None
) -> Iterator[None]:
    """Find every call of a recurrent layer; its gradients arrive with the backward. Hooks are gone after the block.

    Args:
        net: any module.
        noted: told of a call at its forward; whether its gradients are wanted.
        closed: told of a call when its gradients have arrived.
    """
    states: dict[str, list[Tensor]] = {}

    def before(name: str, *_: Any) -> None:
        states[name] = torch_state()

    def after(name: str, rnn: nn.RNNBase, args: tuple, kwargs: dict, output: Any) -> None:
        args = (*args, *(kwargs[key] for key in ("input", "hx") if key in kwargs))
        call = RecurrentCall(name, rnn, args, output, states[name])
        if call.outputs[0].requires_grad and noted(call):
            torch.autograd.graph.register_multi_grad_hook(call.outputs, partial(_keep, call, closed))

    handles = []
    try:
        for name, layer in net.named_modules():
            if isinstance(layer, nn.RNNBase):
                handles.append(layer.register_forward_pre_hook(partial(before, name)))
                handles.append(layer.register_forward_hook(partial(after, name), with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _keep(call: RecurrentCall, closed: Callable[[RecurrentCall], None], gradients: Sequence[Tensor | None]) -> None:
    call.gradients = [None if g is None else g.detach() for g in gradients]
    closed(call)


def _detached(value: Any) -> Any:
    if isinstance(value, PackedSequence):
        return PackedSequence(_detached(value.data), *value[1:])
    if isinstance(value, tuple):
        return tuple(_detached(one) for one in value)
    if value is None:
        return None
    # The second forward is in the weights' precision, not in that of an autocast around the first.
    return value.detach().float() if value.dtype in (torch.float16, torch.bfloat16) else value.detach()
