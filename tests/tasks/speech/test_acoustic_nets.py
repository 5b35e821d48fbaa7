"""Time-delay nets and Conformers against plain twins; answers that do not depend on the batch."""

import pytest
import torch
from torchaudio.models import Conformer as TorchaudioConformer

from tasks.speech.networks import TDNN, Conformer
from tasks.speech.networks.tdnn import CONTEXTS
from zoo.errors import InputError

FRAMES = torch.tensor([17, 5, 1, 12])


@pytest.mark.parametrize(
    "net",
    [TDNN(3, 4, 6), Conformer(3, 4, 8, 2, 2, 5, 2), Conformer(3, 4, 8, 1, 2, 3, 3)],
    ids=lambda net: repr(net)[:9],
)
def test_an_answer_does_not_depend_on_its_batch(net):
    torch.manual_seed(0)
    net = net.double().eval()
    features = torch.randn(4, 17, 3).double()
    spoilt = features.clone()
    for n in range(4):
        spoilt[n, FRAMES[n] :] = 1e3
    together, kept = net(spoilt, FRAMES)
    assert torch.equal(kept, net.frames_out(FRAMES))
    for n in range(4):
        alone, one = net(features[n : n + 1, : FRAMES[n]], FRAMES[n : n + 1])
        assert alone.shape[1] == one == kept[n]
        torch.testing.assert_close(alone[0], together[n, : kept[n]], atol=1e-10, rtol=0)


@pytest.mark.parametrize("training", [False, True])
def test_without_padding_it_is_torchaudios_conformer(training):
    torch.manual_seed(0)
    net = Conformer(3, 4, 8, 3, 2, 5, 1, dropout=0.0).double().train(training)
    twin = TorchaudioConformer(8, 2, 32, 3, 5).double().train(training)
    twin.conformer_layers.load_state_dict(net.layers.state_dict())
    features, frames = torch.randn(2, 9, 3).double(), torch.tensor([9, 9])
    first = torch.relu(net.first(features.transpose(1, 2))).transpose(1, 2)
    torch.testing.assert_close(net(features, frames)[0], net.output(twin(first, frames)[0]), atol=1e-12, rtol=0)


def test_padding_does_not_change_what_a_conformer_learns():
    torch.manual_seed(0)
    net = Conformer(3, 4, 8, 2, 2, 5, 2, dropout=0.0).double()
    features, weights = torch.randn(4, 17, 3).double(), torch.randn(4, 9, 4).double()

    def gradients(wide):
        logits, kept = net(wide, FRAMES)
        score = sum((logits[n, : kept[n]] * weights[n, : kept[n]]).sum() for n in range(4))
        return torch.autograd.grad(score, [p for p in net.parameters()])

    for ours, padded in zip(
        gradients(features), gradients(torch.cat([features, torch.ones(4, 30, 3)], 1)), strict=True
    ):
        torch.testing.assert_close(padded, ours, atol=1e-9, rtol=0)


def test_a_time_delay_net_reads_the_distances_of_its_layers():
    torch.manual_seed(0)
    net = TDNN(2, 3, 5, ((-2, 0, 1), (-3, 3))).double().eval()
    features = torch.randn(1, 12, 2).double()

    def hidden(layer, context, frames):
        rows = []
        for t in range(len(frames)):
            read = [frames[t + o] if 0 <= t + o < len(frames) else torch.zeros_like(frames[0]) for o in context]
            row = torch.relu(layer.weight @ torch.cat(read) + layer.bias)
            rows.append(row / (row.square().mean() + torch.finfo(torch.float64).eps).sqrt())
        return rows

    below = hidden(net.layers[0], (-2, 0, 1), list(features[0]))
    expected = net.output(torch.stack(hidden(net.layers[1], (-3, 3), below)))
    torch.testing.assert_close(net(features, torch.tensor([12]))[0][0], expected, atol=1e-12, rtol=0)
    # Peddinti's own layers see 13 frames to the left and 9 to the right.
    wide = TDNN(2, 1, 8, CONTEXTS).double().eval()
    frames = torch.randn(1, 41, 2, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(wide(frames, torch.tensor([41]))[0][0, 20], frames)
    seen = gradient[0].abs().sum(1).nonzero()[:, 0] - 20
    assert (seen.min().item(), seen.max().item()) == (-13, 9)


def test_layers_without_distances_are_refused():
    with pytest.raises(InputError, match="expected distances for every layer"):
        TDNN(2, 3, contexts=((0,), ()))
