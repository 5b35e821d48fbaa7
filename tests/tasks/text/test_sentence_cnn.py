"""The sentence CNN against a plain loop over windows, and its independence of padding."""

import pytest
import torch
from torch import nn

from tasks.text.networks import DynamicPooling, KMaxPooling, MaxPooling, MeanPooling, SentenceCNN, WordEmbedding
from zoo.errors import InputError


def logits_by_loops(net: SentenceCNN, words: list[int]) -> torch.Tensor:
    """Kim's equations 1 to 4, one window at a time."""
    vectors = net.embedding(torch.tensor([words]))[0]
    pooled = []
    for h, filters in zip(net.region_sizes, net.filters, strict=True):
        zeros = vectors.new_zeros(h - 1, vectors.shape[1])
        wide = torch.cat([zeros, vectors, zeros])
        maps = []
        for s in range(len(wide) - h + 1):
            window = wide[s : s + h]
            maps.append(torch.relu((filters.weight * window.t()).sum((1, 2)) + filters.bias))
        pooled.append(torch.stack(maps).amax(0))
    return net.output(torch.cat(pooled))


@pytest.mark.parametrize("variant", ["tuned", "static", "multichannel"])
def test_logits_are_kims_equations(variant):
    net = SentenceCNN(12, 3, 5, variant, region_sizes=(1, 2, 4), feature_maps=6).double().eval()
    sentences = [[3, 4, 5, 6, 7], [2], [9, 9]]
    tokens = torch.tensor([s + [0] * (5 - len(s)) for s in sentences])
    expected = torch.stack([logits_by_loops(net, s) for s in sentences])
    torch.testing.assert_close(net(tokens), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("pooling", [MaxPooling(), KMaxPooling(3), MeanPooling(), DynamicPooling(3)])
def test_an_answer_does_not_depend_on_padding(pooling):
    net = (
        SentenceCNN(12, 3, 5, region_sizes=(1, 3), feature_maps=6, activation=nn.Tanh, pooling=pooling).double().eval()
    )
    tokens = torch.tensor([[3, 4, 5], [2, 0, 0]])
    wider = torch.cat([tokens, torch.zeros(2, 6, dtype=torch.int64)], 1)
    torch.testing.assert_close(net(tokens), net(wider), atol=1e-12, rtol=0)
    torch.testing.assert_close(net(tokens)[1:], net(tokens[1:, :1]), atol=1e-12, rtol=0)


def test_poolings_by_hand():
    maps = torch.tensor([[[3.0, -1.0, 5.0, 4.0, 99.0]]])
    valid = torch.tensor([[True, True, True, True, False]])
    assert MaxPooling()(maps, valid).tolist() == [[5.0]]
    assert KMaxPooling(2)(maps, valid).tolist() == [[5.0, 4.0]]
    assert KMaxPooling(3)(maps, valid).tolist() == [[3.0, 5.0, 4.0]]
    assert KMaxPooling(7)(maps, valid).tolist() == [[3.0, -1.0, 5.0, 4.0, 0.0, 0.0, 0.0]]
    assert MeanPooling()(maps, valid).tolist() == [[2.75]]
    assert DynamicPooling(2)(maps, valid).tolist() == [[3.0, 5.0]]
    assert DynamicPooling(2)(maps, valid & torch.tensor([True, False, False, False, False])).tolist() == [[3.0, 3.0]]


def test_padding_and_static_vectors_do_not_move():
    net = SentenceCNN(12, 2, 5, "multichannel", feature_maps=4)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1.0)
    net(torch.tensor([[3, 4, 0]])).square().sum().backward()
    optimizer.step()
    moved = (net.embedding.tuned != before["embedding.tuned"]).any(1)
    assert moved.nonzero()[:, 0].tolist() == [3, 4]
    assert torch.equal(net.embedding.static, before["embedding.static"])


def test_word_dropout_reads_words_as_unknown_and_never_the_padding():
    torch.manual_seed(0)
    table = WordEmbedding(50, 3, word_dropout=0.3)
    tokens = torch.full((100, 100), 7)
    tokens[:, 60:] = 0
    vectors = table(tokens)
    unknown = (vectors == table.tuned[1]).all(-1)
    assert abs(float(unknown[:, :60].float().mean()) - 0.3) < 0.02
    assert (vectors[:, 60:] == 0).all()
    assert not (table.eval()(tokens) == table.tuned[1]).all(-1).any()


def test_given_vectors_start_every_channel():
    table = WordEmbedding(6, 2, "multichannel")
    given = torch.arange(8.0).view(4, 2)
    table.load(given)
    for channel in (table.static, table.tuned):
        assert channel[0].tolist() == [0, 0]
        assert torch.equal(channel[1:4], given[1:])
    with pytest.raises(InputError, match="expected 2 dimensions"):
        table.load(torch.zeros(4, 3))


@pytest.mark.parametrize(
    ("sizes", "said"), [((), "expected sizes of 1 or more"), ((3, 0), "expected sizes of 1 or more")]
)
def test_region_sizes_are_checked(sizes, said):
    with pytest.raises(InputError, match=said):
        SentenceCNN(region_sizes=sizes)


def test_places_are_added_to_words_and_the_last_one_to_all_that_follow():
    net = SentenceCNN(12, 2, 5, places=2)
    nn.init.normal_(net.places.vectors)
    words, places = net.embedding.tuned, net.places.vectors
    found = net.embed(torch.tensor([[3, 4, 5, 6], [7, 0, 0, 0]]))
    expected = [words[3] + places[0], words[4] + places[1], words[5] + places[1], words[6] + places[1]]
    assert torch.equal(found[0], torch.stack(expected))
    assert torch.equal(found[1], torch.stack([words[7] + places[0], *[torch.zeros(5)] * 3]))
