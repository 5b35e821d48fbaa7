"""The speller against products of its own steps, closed forms and finite differences; padding that changes nothing."""

import itertools
import math

import pytest
import torch
from torch import nn

from tasks.speech.networks import DotAttention, ListenAttendSpell, Listener, LocationAttention, Speller
from tasks.speech.networks.speller import END
from tasks.speech.spelling import spelling_loss, with_end

ATTENTIONS = [DotAttention(6, 5, 4), LocationAttention(6, 5, 4, filters=2, width=3)]
FRAMES, LENGTHS = torch.tensor([9, 1, 6]), torch.tensor([2, 4, 3])


def net_of(attention, labels=4, layers=2):
    """A small net whose weights are far enough from zero for its choices to differ."""
    torch.manual_seed(0)
    net = ListenAttendSpell(
        Listener(3, 3, pyramid=1), Speller(labels, 6, attention, 5, layers, 3), nn.Linear(6, labels)
    ).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return net.eval()


def inputs():
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(3, 9, 3, generator=generator, dtype=torch.float64)
    return features, torch.randint(1, 4, (3, 4), generator=generator)


@pytest.mark.parametrize("attention", ATTENTIONS, ids=lambda one: type(one).__name__)
def test_a_transcripts_probability_is_the_product_of_its_steps(attention):
    net, (features, labels) = net_of(attention), inputs()
    heard = net(features, FRAMES, labels)
    found = -spelling_loss(heard.logits_BUV, labels, LENGTHS)
    memory_BTH, frames = net.listener(features, FRAMES)
    for n in range(3):
        memory = net.speller.memory(memory_BTH[n : n + 1, : frames[n]], frames[n : n + 1])
        state, product, read = net.speller.start(memory), 1.0, END
        for label in [*labels[n, : LENGTHS[n]].tolist(), END]:
            logits, state = net.speller.step(torch.tensor([read]), state, memory)
            product, read = product * logits[0].softmax(0)[label].item(), label
        assert found[n].item() == pytest.approx(math.log(product), rel=1e-12)


def test_probabilities_of_all_transcripts_sum_to_one():
    net, (features, _) = net_of(ATTENTIONS[1], labels=3), inputs()
    total = 0.0
    for length in range(4):
        every = torch.tensor(list(itertools.product((1, 2), repeat=length)), dtype=torch.long).reshape(
            2**length, length
        )
        logits = net(features[:1].expand(len(every), -1, -1), FRAMES[:1].expand(len(every)), every).logits_BUV
        ends = -spelling_loss(logits, every, torch.full((len(every),), length))
        # Of those of three labels all that begin so, whether they end there or not.
        begins = logits.log_softmax(-1)[:, :-1].gather(-1, every[..., None]).sum((1, 2))
        total += (ends if length < 3 else begins).exp().sum().item()
    assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("attention", ATTENTIONS, ids=lambda one: type(one).__name__)
def test_attention_sums_to_one_on_what_was_heard_and_an_answer_does_not_depend_on_its_batch(attention):
    net, (features, labels) = net_of(attention), inputs()
    spoilt = features.clone()
    for n in range(3):
        spoilt[n, FRAMES[n] :] = 1e3
    heard = net(spoilt, FRAMES, labels)
    assert heard.frames_B.tolist() == [5, 1, 3]
    torch.testing.assert_close(heard.attention_BUT.sum(-1), torch.ones(3, 5).double(), atol=1e-12, rtol=0)
    for n, frames in enumerate(heard.frames_B.tolist()):
        assert (heard.attention_BUT[n, :, frames:] == 0).all()
        alone = net(features[n : n + 1, : FRAMES[n]], FRAMES[n : n + 1], labels[n : n + 1])
        torch.testing.assert_close(alone.logits_BUV[0], heard.logits_BUV[n], atol=1e-10, rtol=0)
        torch.testing.assert_close(alone.frame_logits_BTV[0], heard.frame_logits_BTV[n, :frames], atol=1e-10, rtol=0)
        longer = torch.cat([labels[n : n + 1], labels.new_full((1, 2), 3)], 1)
        more = net(features[n : n + 1, : FRAMES[n]], FRAMES[n : n + 1], longer)
        torch.testing.assert_close(more.logits_BUV[0, :5], heard.logits_BUV[n], atol=1e-10, rtol=0)


@pytest.mark.parametrize("attention", ATTENTIONS, ids=lambda one: type(one).__name__)
def test_gradients_are_those_of_finite_differences(attention):
    net, (features, labels) = net_of(attention), inputs()
    weights = torch.randn(3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def loss():
        return spelling_loss(net(features, FRAMES, labels).logits_BUV, labels, LENGTHS, 0.1) @ weights

    parameters = dict(net.named_parameters())
    del parameters["ctc.weight"], parameters["ctc.bias"]
    found = torch.autograd.grad(loss(), list(parameters.values()))
    generator = torch.Generator().manual_seed(3)
    for (name, parameter), gradient in zip(parameters.items(), found, strict=True):
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(direction, alpha=sign * 1e-5)
                sides.append(loss().item())
                parameter.sub_(direction, alpha=sign * 1e-5)
        expected = (sides[0] - sides[1]) / 2e-5
        assert float((gradient * direction).sum()) == pytest.approx(expected, rel=1e-5, abs=1e-7), name


def test_attention_by_hand():
    dot = DotAttention(1, 1, 1).double()
    for layer in (dot.keys[0], dot.query[0]):
        nn.init.constant_(layer.weight, 1)
        nn.init.zeros_(layer.bias)
    state, memory = torch.tensor([[0.5]]).double(), torch.tensor([[[0.3], [-0.7], [9.0]]]).double()
    outside = torch.tensor([[False, False, True]])
    found = dot(state, dot.keys(memory), torch.zeros(1, 3), outside)[0]
    gap = math.tanh(0.5) * (math.tanh(0.3) - math.tanh(-0.7))
    assert found.tolist() == pytest.approx([1 / (1 + math.exp(-gap)), 1 / (1 + math.exp(gap)), 0])
    place = LocationAttention(1, 1, 1, filters=1, width=3).double()
    for parameter in place.parameters():
        nn.init.zeros_(parameter)
    for layer in (place.place, place.energy):
        nn.init.constant_(layer.weight, 2)
    with torch.no_grad():
        place.convolution.weight.copy_(torch.tensor([[[0.0, 0.0, 1.0]]]))  # looks one frame ahead
    found = place(state, place.keys(memory), torch.tensor([[0.1, 0.6, 0.3]]).double(), outside)[0]
    gap = 2 * (math.tanh(2 * 0.6) - math.tanh(2 * 0.3))
    assert found.tolist() == pytest.approx([1 / (1 + math.exp(-gap)), 1 / (1 + math.exp(gap)), 0])


def test_the_pyramid_reads_neighbours_as_one():
    torch.manual_seed(0)
    listener = Listener(3, 2, pyramid=1).double()
    features = torch.randn(1, 5, 3, dtype=torch.float64)
    below = listener.first(features.transpose(0, 1), torch.tensor([5]))[:, 0]
    pairs = torch.stack([torch.cat([below[2 * i], below[2 * i + 1] if i < 2 else torch.zeros(4)]) for i in range(3)])
    found, frames = listener(features, torch.tensor([5]))
    assert frames.tolist() == [3]
    torch.testing.assert_close(found[0], listener.pyramid[0](pairs[:, None], frames)[:, 0], atol=1e-12, rtol=0)
    assert Listener(3, 2, pyramid=3).frames_out(torch.tensor([64, 65, 3])).tolist() == [8, 9, 1]


def test_smoothing_is_a_mixture_with_the_uniform_distribution():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 5, generator=generator, dtype=torch.float64)
    labels, lengths = torch.tensor([[1, 4, 2], [3, 0, 0]]), torch.tensor([3, 1])
    assert with_end(labels, lengths).tolist() == [[1, 4, 2, 0], [3, 0, -100, -100]]
    logs = logits.log_softmax(-1)
    for smoothing in (0.0, 0.1, 0.7):
        found = spelling_loss(logits, labels, lengths, smoothing)
        for n, said in enumerate(([1, 4, 2, 0], [3, 0])):
            expected = sum((smoothing - 1) * logs[n, u, v] - smoothing * logs[n, u].mean() for u, v in enumerate(said))
            assert float(found[n]) == pytest.approx(float(expected), rel=1e-12)
    # The least smoothed loss is the entropy of the smoothed label, reached where the answer equals it.
    smoothed = torch.tensor([0.1 / 3, 0.1 / 3, 0.9 + 0.1 / 3], dtype=torch.float64)
    least = spelling_loss(smoothed.log()[None, None], torch.zeros(1, 0, dtype=torch.long), torch.tensor([0]), 0.1)
    other = spelling_loss(
        smoothed.flip(0).log()[None, None], torch.zeros(1, 0, dtype=torch.long), torch.tensor([0]), 0.1
    )
    assert float(other) == pytest.approx(-float((smoothed * smoothed.log()).sum()), rel=1e-12)
    assert float(other) < float(least)


def test_scheduled_sampling_reads_labels_of_its_own_in_its_share():
    net, (features, labels) = net_of(ATTENTIONS[0]), inputs()
    taught = net(features, FRAMES, labels).logits_BUV
    random_state = torch.get_rng_state()
    assert torch.equal(net(features, FRAMES, labels, 0.0).logits_BUV, taught)
    assert torch.equal(torch.get_rng_state(), random_state)  # nothing was drawn
    drawn = net(features, FRAMES, labels, 0.5).logits_BUV
    assert torch.equal(drawn[:, 0], taught[:, 0])
    assert not torch.allclose(drawn[:, 1:], taught[:, 1:])
    # All labels its own: the same whatever the transcripts are, and drawn as the speller's own distribution says.
    many, said = features[:1].expand(4000, -1, -1), labels[:1, :1].expand(4000, -1)
    torch.manual_seed(0)
    one = net(many, FRAMES[:1].expand(4000), said, 1.0).logits_BUV
    torch.manual_seed(0)
    other = net(many, FRAMES[:1].expand(4000), 4 - said, 1.0).logits_BUV
    assert torch.equal(one, other)
    answers = torch.stack([net(many[:1], FRAMES[:1], torch.tensor([[v]])).logits_BUV[0, 1] for v in range(4)])
    which = (one[:, 1, None] - answers).abs().sum(-1).argmin(-1)
    share = torch.bincount(which, minlength=4) / 4000
    torch.testing.assert_close(share.double(), taught[0, 0].softmax(-1), atol=0.03, rtol=0)
