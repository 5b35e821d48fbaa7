"""The steps inside torch's recurrent layers: an LSTM, GRU or RNN written out in time, with its own weights.

Legend: T = time steps, B = examples, F = inputs, H = numbers of the hidden state, G = gates times H.
torch's own layers are one fused operation: dL/dh_t, which the recurrence passes on from step to step, is hidden inside.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from zoo.errors import InputError


@dataclass(frozen=True)
class Direction:
    """One layer in one direction, named as torch names its weights: l0, l0_reverse, l1, ...

    Every tensor is a node of the graph: gradients may be asked for. Steps that lie behind an example's end are zero.
    """

    name: str
    inputs_TBF: Tensor
    input_gates_TBG: Tensor  # inputs W_ih' + b_ih, and + b_hh but for a GRU
    previous: list[Tensor]  # the hidden state that step t starts from, [B, H] each
    hidden_gates: list[Tensor]  # of a GRU: previous W_hh' + b_hh, [B, G] each; others add both sums and need but one
    hidden: list[Tensor]  # h_t, [B, H] each
    cells: list[Tensor]  # c_t of an LSTM
    whole: list[Tensor]  # o tanh(c) before an LSTM's projection


@dataclass(frozen=True)
class Unrolled:
    """What the layer gives, in its own form, and its insides."""

    output: Tensor  # [T, B, H * directions]
    final: tuple[Tensor, ...]  # h_n and, of an LSTM, c_n
    directions: list[Direction]


def unrolled(rnn: nn.RNNBase, inputs: Tensor | PackedSequence, state: Any = None) -> Unrolled:
    """The forward of `rnn`, step by step; equal to its own up to rounding.

    Dropout between layers is drawn anew, as the CPU's own forward draws it: from the same random state the masks agree.
    (cuDNN keeps a state of its own.)

    Args:
        rnn: nn.LSTM (projections too), nn.GRU or nn.RNN, of any depth, in one direction or two.
        inputs: as the layer gets them, with a batch dimension; packed sequences too.
        state: h_0, or (h_0, c_0) of an LSTM; zeros by default.

    Raises:
        InputError: inputs without a batch dimension.
    """
    x_TBF, active_TB = time_first(rnn, inputs)
    count = rnn.num_layers * (2 if rnn.bidirectional else 1)
    starts = _starts(rnn, x_TBF, state, count)
    directions, finals = [], []
    for layer in range(rnn.num_layers):
        pair = []
        for reverse in (False, True)[: 2 if rnn.bidirectional else 1]:
            name = f"l{layer}" + ("_reverse" if reverse else "")
            pair.append(_direction(rnn, name, x_TBF, active_TB, [s[len(directions) + len(pair)] for s in starts]))
        directions += [one for one, _ in pair]
        x_TBF = torch.cat([torch.stack(outputs) for _, (outputs, *_) in pair], 2)
        finals += [final for _, (_, *final) in pair]
        if rnn.dropout and rnn.training and layer + 1 < rnn.num_layers:
            x_TBF = _dropped(x_TBF, rnn.dropout, inputs)
    ends = zip(*finals, strict=True)
    return Unrolled(x_TBF, tuple(torch.stack(end) for end in ends), directions)


def time_first(rnn: nn.RNNBase, sequence: Tensor | PackedSequence) -> tuple[Tensor, Tensor | None]:
    """([T, B, F], which steps exist [T, B] or None for all) of what goes into a layer or comes out of it.

    >>> time_first(nn.RNN(2, 3, batch_first=True), torch.zeros(4, 5, 2))[0].shape
    torch.Size([5, 4, 2])
    """
    if isinstance(sequence, PackedSequence):
        padded_TBF, lengths_B = pad_packed_sequence(sequence)
        steps_T1 = torch.arange(len(padded_TBF))[:, None]
        return padded_TBF, (steps_T1 < lengths_B).to(padded_TBF.device)
    if sequence.dim() != 3:
        raise InputError(
            f"unrolled: expected inputs with time and batch, got {list(sequence.shape)}; add a dimension of one example"
        )
    return (sequence.transpose(0, 1) if rnn.batch_first else sequence), None


def _starts(rnn: nn.RNNBase, x_TBF: Tensor, state: Any, count: int) -> list[Tensor]:
    if state is not None:
        return list(state) if isinstance(state, tuple) else [state]
    sizes = [rnn.proj_size or rnn.hidden_size] + ([rnn.hidden_size] if rnn.mode == "LSTM" else [])
    return [x_TBF.new_zeros(count, x_TBF.shape[1], size) for size in sizes]


def _dropped(x_TBF: Tensor, share: float, inputs: Tensor | PackedSequence) -> Tensor:
    if not isinstance(inputs, PackedSequence):
        return functional.dropout(x_TBF, share)
    _, lengths_B = pad_packed_sequence(inputs)  # the masks are drawn for the packed numbers, longest example first
    order = inputs.sorted_indices if inputs.sorted_indices is not None else torch.arange(len(lengths_B))
    data = pack_padded_sequence(x_TBF[:, order], lengths_B[order.cpu()]).data
    return pad_packed_sequence(PackedSequence(functional.dropout(data, share), *inputs[1:]))[0]


def _direction(
    rnn: nn.RNNBase, name: str, x_TBF: Tensor, active_TB: Tensor | None, start: Sequence[Tensor]
) -> tuple[Direction, tuple]:
    def weight(kind: str) -> Tensor | None:
        return getattr(rnn, f"{kind}_{name}", None)

    apart = rnn.mode == "GRU"  # its reset gate stands between the two sums
    gates_TBG = functional.linear(x_TBF, weight("weight_ih"), weight("bias_ih"))
    if rnn.bias and not apart:
        gates_TBG = gates_TBG + weight("bias_hh")
    found = Direction(name, x_TBF, gates_TBG, [], [], [], [], [])
    step, state, outputs = STEPS[rnn.mode], list(start), {}
    gates_of = gates_TBG.unbind(0)  # the backward of an index would add zeros of all steps at every step
    times = range(len(x_TBF))
    for t in reversed(times) if name.endswith("reverse") else times:
        if apart:
            found.hidden_gates.append(functional.linear(state[0], weight("weight_hh"), weight("bias_hh")))
            new = step(gates_of[t], found.hidden_gates[-1], *state)
        else:
            new = step(torch.addmm(gates_of[t], state[0], weight("weight_hh").t()), *state)
        found.whole.append(new[0])
        if rnn.proj_size:
            new = (functional.linear(new[0], weight("weight_hr")), *new[1:])
        found.previous.append(state[0])
        found.hidden.append(new[0])
        found.cells.extend(new[1:])
        if active_TB is None:
            state, outputs[t] = list(new), new[0]
        else:
            goes_on = active_TB[t][:, None]
            state = [torch.where(goes_on, after, before) for after, before in zip(new, state, strict=True)]
            outputs[t] = torch.where(goes_on, new[0], 0.0)
    if name.endswith("reverse"):
        for steps in (found.previous, found.hidden_gates, found.hidden, found.cells, found.whole):
            steps.reverse()
    return found, ([outputs[t] for t in times], *state)


def _lstm(gates_BG: Tensor, _h: Tensor, c_BH: Tensor) -> tuple[Tensor, Tensor]:
    i, f, _, o = torch.sigmoid(gates_BG).chunk(4, 1)  # one operation for all: a quarter in vain costs less than a call
    c_BH = torch.addcmul(f * c_BH, i, torch.tanh(gates_BG.chunk(4, 1)[2]))
    return o * torch.tanh(c_BH), c_BH


def _gru(gates_BG: Tensor, more_BG: Tensor, h_BH: Tensor) -> tuple[Tensor]:
    two = 2 * h_BH.shape[1]
    r, z = torch.sigmoid(gates_BG[:, :two] + more_BG[:, :two]).chunk(2, 1)
    n = torch.tanh(torch.addcmul(gates_BG[:, two:], r, more_BG[:, two:]))
    return (torch.lerp(n, h_BH, z),)


STEPS: dict[str, Callable[..., tuple[Tensor, ...]]] = {
    "LSTM": _lstm,
    "GRU": _gru,
    "RNN_TANH": lambda gates_BG, _h: (torch.tanh(gates_BG),),
    "RNN_RELU": lambda gates_BG, _h: (torch.relu(gates_BG),),
}
