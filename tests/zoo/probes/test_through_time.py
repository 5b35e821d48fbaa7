"""Recurrent layers written out in time against torch's own, and dL/dh_t against perturbed hidden states."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from zoo.errors import InputError
from zoo.probes import gradients_through_time, hidden_gradients
from zoo.probes.unrolled import unrolled

T, B, F, H = 5, 3, 2, 4
FORMS = {
    "lstm": (nn.LSTM, {}),
    "gru": (nn.GRU, {}),
    "tanh": (nn.RNN, {}),
    "relu": (nn.RNN, {"nonlinearity": "relu", "bias": False}),
    "batch_first": (nn.GRU, {"batch_first": True}),
    "deep": (nn.LSTM, {"num_layers": 3}),
    "both ways": (nn.LSTM, {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    "projected": (nn.LSTM, {"num_layers": 2, "proj_size": 3, "bidirectional": True}),
    "dropout": (nn.GRU, {"num_layers": 3, "dropout": 0.5}),
}


def make(form) -> nn.RNNBase:
    kind, options = FORMS[form]
    return kind(F, H, **options).double()


def inputs_of(rnn) -> torch.Tensor:
    return torch.randn((B, T, F) if rnn.batch_first else (T, B, F), dtype=torch.float64)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_outputs_and_weight_gradients_are_torchs(form, packed):
    rnn = make(form)
    inputs = inputs_of(rnn)
    if packed:
        inputs = pack_padded_sequence(inputs, torch.tensor([3, 5, 1]), rnn.batch_first, enforce_sorted=False)
    torch.manual_seed(4)
    output, state = rnn(inputs)
    output = pad_packed_sequence(output)[0] if packed else output.transpose(0, 1) if rnn.batch_first else output
    torch.manual_seed(4)
    mine = unrolled(rnn, inputs)
    final = state if isinstance(state, tuple) else (state,)
    for found, expected in zip((mine.output, *mine.final), (output, *final), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
    weigh = [torch.randn_like(one) for one in (output, *final)]
    grads = [
        torch.autograd.grad(sum((a * w).sum() for a, w in zip(parts, weigh, strict=True)), list(rnn.parameters()))
        for parts in ((mine.output, *mine.final), (output, *final))
    ]
    for found, expected in zip(*grads, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_the_derivative_to_a_hidden_state_by_differences(cell):
    """h_t pushed by epsilon between two calls of the layer: the loss moves by dL/dh_t epsilon."""
    rnn, head = cell(F, H).double(), nn.Linear(H, 1).double()
    net, inputs = nn.ModuleDict({"rnn": rnn, "head": head}), torch.randn(T, B, F, dtype=torch.float64)
    weights = torch.rand(T, 1, 1, dtype=torch.float64)
    found = hidden_gradients(net, lambda: (head(rnn(inputs)[0]).tanh() * weights).sum())

    def moved(t: int, push: torch.Tensor) -> float:
        first, state = rnn(inputs[: t + 1])
        h = (state[0] if cell is nn.LSTM else state) + push
        rest = rnn(inputs[t + 1 :], (h, state[1]) if cell is nn.LSTM else h)[0] if t + 1 < T else first[:0]
        return (head(torch.cat([first[:-1], h, rest])).tanh() * weights).sum().item()

    push = torch.randn(1, B, H, dtype=torch.float64) * 1e-5
    for t in range(T):
        slope = (moved(t, push) - moved(t, -push)) / 2
        assert (found["rnn.h_l0"][t] * push[0]).sum().item() == pytest.approx(slope, rel=1e-7)


def test_a_linear_recurrence_fades_by_its_factor_each_way():
    rnn = nn.RNN(1, 1, bias=False, nonlinearity="relu", bidirectional=True, batch_first=True)
    for weight in rnn.parameters():
        nn.init.constant_(weight, 0.5)
    found = gradients_through_time(rnn, lambda: rnn(torch.ones(1, 4, 1))[1].sum())
    assert found["h_l0"].tolist() == pytest.approx([0.125, 0.25, 0.5, 1.0])
    assert found["h_l0_reverse"].tolist() == pytest.approx([1.0, 0.5, 0.25, 0.125])


def test_padding_has_no_gradient_and_dropout_masks_are_the_forwards():
    rnn = nn.LSTM(F, H, num_layers=2, dropout=0.5, batch_first=True).double()
    inputs = pack_padded_sequence(torch.randn(B, T, F, dtype=torch.float64), torch.tensor([5, 3, 1]), batch_first=True)
    found = hidden_gradients(rnn, lambda: rnn(inputs)[0].data.sum())
    assert (found["h_l1"][3:, 1:] == 0).all() and (found["h_l1"][1:, 2] == 0).all() and (found["h_l1"][:, 0] != 0).any()
    state = torch.get_rng_state()
    found = hidden_gradients(rnn, lambda: (torch.rand(3), rnn(inputs)[0].data.sum())[1])
    torch.set_rng_state(state)
    torch.rand(3)  # what is drawn before the layer does not move its masks
    with torch.no_grad():
        silent = nn.functional.dropout(torch.ones(5 + 3 + 1, H, dtype=torch.float64), 0.5) == 0
    # What the mask of the first layer's output silences at an example's last step passes back nothing there.
    last = torch.stack([found["h_l0"][length - 1, example] for example, length in enumerate((5, 3, 1))])
    assert ((last == 0) == silent[[8, 6, 2]]).all() and silent[[8, 6, 2]].any()


def test_a_layer_called_twice_is_read_twice_and_flat_inputs_are_refused():
    rnn = nn.RNN(F, F).double()
    inputs = torch.randn(T, B, F, dtype=torch.float64)
    found = gradients_through_time(nn.Sequential(rnn), lambda: rnn(rnn(inputs)[0])[0].sum())
    assert list(found) == ["0.h_l0#1", "0.h_l0#2"]
    with pytest.raises(InputError, match="time and batch"):
        unrolled(rnn, inputs[:, 0])
