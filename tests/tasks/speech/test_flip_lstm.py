"""The flip LSTM against torch's packed bidirectional one, outputs and gradients."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tasks.speech.networks import FlipLSTM


def packed_twin(net: FlipLSTM) -> nn.LSTM:
    """nn.LSTM with the same weights."""
    first = net.forwards[0]
    twin = nn.LSTM(first.input_size, first.hidden_size, len(net.forwards), bidirectional=True).to(
        first.weight_hh_l0.dtype
    )
    weights = {}
    for layer, (ahead, back) in enumerate(zip(net.forwards, net.backwards, strict=True)):
        for name, value in ahead.state_dict().items():
            weights[name.replace("l0", f"l{layer}")] = value
        for name, value in back.state_dict().items():
            weights[name.replace("l0", f"l{layer}_reverse")] = value
    twin.load_state_dict(weights)
    return twin


def test_outputs_and_gradients_equal_packing():
    net = FlipLSTM(5, 7, layers=3).double()
    twin = packed_twin(net)
    features = torch.randn(9, 4, 5, dtype=torch.float64)
    lengths = torch.tensor([9, 1, 4, 7])
    ours, theirs = (features.clone().requires_grad_() for _ in range(2))
    out = net(ours, lengths)
    expected, _ = pad_packed_sequence(twin(pack_padded_sequence(theirs, lengths, enforce_sorted=False))[0])
    torch.testing.assert_close(out, expected, atol=1e-12, rtol=0)
    weight = torch.randn_like(out)
    (out * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-12, rtol=0)
    torch.testing.assert_close(net.backwards[1].weight_hh_l0.grad, twin.weight_hh_l1_reverse.grad, atol=1e-12, rtol=0)
