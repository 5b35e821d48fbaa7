"""What every sentence net promises, and each one against a plain twin."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tasks.text.data import Sentences
from tasks.text.networks import (
    BagOfVectors,
    KMaxPooling,
    MaxPooling,
    MeanPooling,
    NaiveBayes,
    ResidualCNN,
    SentenceCNN,
    SerialCNN,
)
from tasks.text.networks.bag_of_vectors import bucket_of_pairs
from tasks.text.networks.present import halved, on_present
from tasks.text.networks.residual_cnn import ResidualBlock
from tasks.text.tokeniser import Tokeniser
from zoo.errors import InputError

SENTENCES = [[3, 4, 5, 6, 7, 3, 4], [2], [9, 9, 8, 11], [4, 5]]


def naive_bayes() -> NaiveBayes:
    """Started from a tiny corpus and moved away from there."""
    net = NaiveBayes(12, 3, pairs=20)
    texts = ["a b c d e", "f g a b", "h i a c d", "a b a b a", "c c c", "d e f g h"]
    tokeniser = Tokeniser.trained(texts)
    net.start_from(tokeniser.encode(texts), torch.tensor([0, 1, 2, 0, 1, 2]))
    nn.init.normal_(net.embedding.weights)
    return net


NETS: dict[str, Callable[[], nn.Module]] = {
    "kim": lambda: SentenceCNN(12, 3, 5, "multichannel", (1, 3), 6, activation=nn.Tanh),
    "parallel": lambda: SentenceCNN(12, 3, 5, region_sizes=(1, 2, 3, 4), feature_maps=6, hidden_sizes=(7, 4)),
    "serial": lambda: SerialCNN(12, 3, 5, region_sizes=(3, 5), feature_maps=6, pooling=KMaxPooling(2)),
    "residual": lambda: ResidualCNN(12, 3, 5, feature_maps=6, dilations=(1, 2, 1), activation=nn.Tanh),
    "residual flat": lambda: ResidualCNN(
        12, 3, 5, feature_maps=6, halving=False, norm=nn.LayerNorm, activation=nn.Softplus, pooling=MeanPooling()
    ),
    "bag": lambda: BagOfVectors(12, 3, 5, buckets=50, poolings=[MeanPooling(), MaxPooling()], hidden_sizes=(4,)),
    "naive bayes": naive_bayes,
}


def padded(sentences: list[list[int]], extra: int = 0) -> torch.Tensor:
    """tokens_BT."""
    width = max(map(len, sentences)) + extra
    return torch.tensor([s + [0] * (width - len(s)) for s in sentences])


@pytest.fixture(params=NETS)
def net(request) -> nn.Module:
    """Each net in float64, with pair vectors and norm statistics that are not their starts."""
    torch.manual_seed(1)
    net = NETS[request.param]().double()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.bias)
        if isinstance(module, BagOfVectors):
            module.pairs.data[1:].normal_()
        if isinstance(module, ResidualBlock):
            module.filters[1].reset_parameters()
    return net.eval()


def test_an_answer_depends_neither_on_padding_nor_on_companions(net):
    together = net(padded(SENTENCES))
    assert together.std(0).min() > 1e-3
    torch.testing.assert_close(net(padded(SENTENCES, extra=9)), together, atol=1e-12, rtol=0)
    alone = torch.cat([net(torch.tensor([sentence])) for sentence in SENTENCES])
    torch.testing.assert_close(alone, together, atol=1e-12, rtol=0)


def test_training_does_not_see_padding_either(net):
    for module in net.modules():
        module.training = not isinstance(module, nn.Dropout)
    torch.testing.assert_close(net(padded(SENTENCES, extra=9)), net(padded(SENTENCES)), atol=1e-12, rtol=0)


def test_forward_is_embed_then_classify(net):
    tokens = padded(SENTENCES)
    assert torch.equal(net(tokens), net.classify(net.embed(tokens), tokens != 0))
    assert not net.embed(tokens)[tokens == 0].any()
    assert net.embedding.vocabulary_size == 12


def test_gradients_through_the_embedded_words_are_finite_differences(net):
    tokens = padded(SENTENCES[2:])
    present = tokens != 0
    vectors = net.embed(tokens).detach()
    # Two equal words tie in a largest value; where it is unique, both derivatives exist.
    vectors = (vectors + 0.01 * torch.randn_like(vectors)) * present[..., None]
    leaf = vectors.clone().requires_grad_()
    gradient = torch.autograd.grad(net.classify(leaf, present)[:, 1].sum(), leaf)[0]
    step = 1e-6
    for place in present.nonzero().tolist():
        for e in range(vectors.shape[2]):
            moved = vectors.clone()
            moved[*place, e] += step
            up = net.classify(moved, present)[:, 1].sum()
            moved[*place, e] -= 2 * step
            slope = (up - net.classify(moved, present)[:, 1].sum()) / (2 * step)
            assert abs(slope - gradient[*place, e]) < 1e-6


def residual_by_loops(net: ResidualCNN, words: list[int]) -> torch.Tensor:
    """The residual net of one sentence, one position and one tap at a time."""

    def convolved(rows, layer, dilation=1):
        zero = torch.zeros(rows.shape[1], dtype=rows.dtype)

        def at(i):
            return rows[i] if 0 <= i < len(rows) else zero

        weight = layer.weight
        return torch.stack(
            [sum(weight[:, :, k] @ at(s + (k - 1) * dilation) for k in range(3)) + layer.bias for s in range(len(rows))]
        )

    def block(rows, part, dilation):
        found = convolved(torch.tanh(part.norms[0](rows)), part.filters[0], dilation)
        return rows + convolved(torch.tanh(part.norms[1](found)), part.filters[1], dilation)

    rows = convolved(net.embedding(torch.tensor(words)), net.region)
    for number, (part, dilation) in enumerate(zip(net.blocks, (1, 2, 1), strict=True)):
        if number:
            rows = torch.stack([rows[max(0, s - 1) : s + 2].amax(0) for s in range(0, len(rows), 2)])
        rows = block(rows, part, dilation)
    return net.output(torch.tanh(net.norm(rows)).amax(0))


def test_the_residual_net_is_its_definition():
    torch.manual_seed(3)
    net = NETS["residual"]().double().eval()
    for part in net.blocks:
        part.filters[1].reset_parameters()
    expected = torch.stack([residual_by_loops(net, sentence) for sentence in SENTENCES])
    torch.testing.assert_close(net(padded(SENTENCES)), expected, atol=1e-12, rtol=0)


def test_a_residual_block_begins_as_the_identity():
    block = ResidualBlock(4, 1, nn.BatchNorm1d, nn.ReLU, dropout=0.0)
    maps = torch.randn(2, 4, 5)
    assert torch.equal(block(maps, torch.ones(2, 5, dtype=torch.bool)), maps)


def test_norms_see_present_positions_alone():
    maps, valid = torch.randn(2, 4, 5), torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    rows = maps.transpose(1, 2)[valid]
    found = on_present(nn.BatchNorm1d(4, eps=1e-12), maps, valid)
    expected = (rows - rows.mean(0)) / rows.std(0, correction=0)
    torch.testing.assert_close(found.transpose(1, 2)[valid], expected)
    assert not found.transpose(1, 2)[~valid].any()


def test_halving_by_hand():
    maps = torch.tensor([[[1.0, 5.0, 2.0, -3.0, 9.0]], [[-4.0, -2.0, -1.0, 9.0, 9.0]]])
    valid = torch.tensor([[True] * 5, [True, True, True, False, False]])
    found, kept = halved(maps, valid)
    assert found.tolist() == [[[5.0, 5.0, 9.0]], [[-2.0, -1.0, 0.0]]]
    assert kept.tolist() == [[True] * 3, [True, True, False]]


def test_serial_convolutions_are_one_after_another():
    net = SerialCNN(12, 2, 4, region_sizes=(3, 3), feature_maps=5, hidden_sizes=(6,)).double().eval()
    vectors = net.embed(torch.tensor([[3, 4, 5]])).transpose(1, 2)
    first, second = net.filters
    maps = torch.relu(second(torch.relu(first(vectors))))
    hidden = torch.relu(net.hidden[1](maps.amax(2)))
    torch.testing.assert_close(net(torch.tensor([[3, 4, 5]])), net.output(hidden))


def test_a_bag_is_a_mean_whatever_the_order():
    net = BagOfVectors(12, 3, 5).double()
    rows = net.embedding.tuned[[3, 4, 4]]
    expected = rows.mean(0) @ net.output.weight.t() + net.output.bias
    torch.testing.assert_close(net(torch.tensor([[3, 4, 4, 0], [4, 3, 4, 0]])), expected.expand(2, 3))


def test_sparse_gradients_of_a_bag_are_the_dense_ones():
    gradients = []
    for sparse in (False, True):
        torch.manual_seed(0)
        net = BagOfVectors(12, 3, 5, buckets=50, sparse=sparse)
        net(padded(SENTENCES)).square().sum().backward()
        gradients.append((net.embedding.tuned.grad, net.pairs.grad))
    for dense, rows in zip(*gradients, strict=True):
        assert rows.is_sparse
        torch.testing.assert_close(rows.to_dense(), dense)


def test_pairs_tell_orders_apart_and_spread_evenly():
    net = BagOfVectors(12, 3, 5, buckets=1000)
    nn.init.normal_(net.pairs)
    assert not torch.allclose(net(torch.tensor([[3, 4]])), net(torch.tensor([[4, 3]])))
    left, right = torch.randint(2, 20_000, (2, 50_000))
    buckets = bucket_of_pairs(torch.stack([left, right], 1), 100)[:, 1]
    counts = buckets.bincount(minlength=101)[1:]
    # 100 cells of 500 in the mean, standard deviation 22: chi-square of 99 degrees of freedom.
    assert ((counts - 500.0).square() / 500).sum() < 99 + 5 * (2 * 99) ** 0.5


@pytest.mark.parametrize(
    "make",
    [
        lambda: ResidualCNN(dilations=()),
        lambda: ResidualCNN(dilations=(1, 0)),
        lambda: SerialCNN(region_sizes=(2,)),
        lambda: SentenceCNN(hidden_sizes=(0,)),
        lambda: BagOfVectors(buckets=-1),
        lambda: NaiveBayes(smoothing=0),
    ],
)
def test_settings_without_meaning_are_refused(make):
    with pytest.raises(InputError, match="expected"):
        make()


def learned(net: nn.Module, sentences: Sentences, tokeniser: Tokeniser, steps: int) -> float:
    """Share of training sentences that the net has right after some steps of Adam on all of them."""
    encoded, labels = tokeniser.encode(sentences.texts), sentences.labels_N
    if hasattr(net, "start_from"):
        net.start_from(encoded, labels)
    tokens = encoded.padded(torch.arange(len(labels)))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(tokens), labels).backward()
        optimizer.step()
    return (net.eval()(tokens).argmax(1) == labels).float().mean().item()


@pytest.mark.parametrize(
    "make",
    [
        lambda: ResidualCNN(12, 2, 8, feature_maps=8),
        lambda: SerialCNN(12, 2, 8, feature_maps=16, hidden_sizes=(16,), dropout=0.0),
        lambda: BagOfVectors(12, 2, 8, buckets=200),
        lambda: NaiveBayes(12, 2, pairs=100),
    ],
    ids=["residual", "serial", "bag", "naive bayes"],
)
def test_an_order_of_two_words_is_learned(make):
    # Label 1 where `a b` occurs: words alone do not tell.
    words = list("abcdef")
    draws = torch.randint(0, 6, (200, 4), generator=torch.Generator().manual_seed(0)).tolist()
    texts = [" ".join(words[i] for i in row) for row in draws]
    labels = torch.tensor([int("a b" in text) for text in texts])
    sentences = Sentences(texts, labels)
    assert learned(make(), sentences, Tokeniser.trained(texts), 100) >= 0.99
