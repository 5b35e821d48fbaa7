"""N-grams: their shares add up to the logits, and the planted word's n-grams drive its class."""

import pytest
import torch
from torch import nn

from tasks.text.networks import DynamicPooling, KMaxPooling, MaxPooling, MeanPooling, SentenceCNN
from tasks.text.winning_ngrams import driving_ngrams, window_shares, windows_of
from tests.tasks.text.planted_words import trained


@pytest.mark.parametrize("pooling", [MaxPooling(), KMaxPooling(2), MeanPooling(), DynamicPooling(2)])
def test_shares_and_bias_add_up_to_the_logits(pooling):
    torch.manual_seed(0)
    net = SentenceCNN(20, 3, 6, region_sizes=(1, 3), feature_maps=5, activation=nn.Tanh, pooling=pooling).double()
    tokens = torch.tensor([[3, 4, 5, 6], [7, 0, 0, 0]])
    total_CB = sum(shares.sum((2, 3)) for _, shares in window_shares(net, tokens))
    raw_BC = net.eval()(tokens) - net.output.bias
    torch.testing.assert_close(total_CB.t(), raw_BC - raw_BC.mean(1, keepdim=True))


def test_with_hidden_layers_a_share_is_the_first_order_one():
    torch.manual_seed(0)
    net = SentenceCNN(20, 3, 6, region_sizes=(2,), feature_maps=5, hidden_sizes=[4], activation=nn.Tanh).double().eval()
    tokens = torch.tensor([[3, 4, 5, 6]])
    ((_, shares),) = window_shares(net, tokens)
    maps, valid = net.maps(net.embed(tokens), tokens != 0)[0]
    pooled = net.pooling(maps, valid).detach().requires_grad_()
    logits = net.output(net.hidden(pooled))
    for c in range(3):
        slope = torch.autograd.grad(logits[0, c] - logits.mean(), pooled, retain_graph=True)[0]
        torch.testing.assert_close(shares[c, 0].sum(1), (slope * pooled)[0].detach())


def test_a_share_belongs_to_the_window_that_wins():
    net = SentenceCNN(6, 2, 2, region_sizes=(2,), feature_maps=1).double().eval()
    with torch.no_grad():
        net.embedding.tuned.copy_(torch.tensor([[0.0, 0], [0, 0], [1, 0], [0, 1], [0, 0], [0, 0]]))
        net.filters[0].weight.copy_(torch.tensor([[[1.0, 0], [0, 3]]]))  # word 2, then word 3
        net.filters[0].bias.fill_(0.5)
        net.output.weight.copy_(torch.tensor([[0.0], [2.0]]))
    windows = windows_of(net, torch.tensor([4, 2, 3, 4]))
    assert [(w.first, w.last, w.maps) for w in windows] == [(1, 2, 1)]
    torch.testing.assert_close(windows[0].shares_C, torch.tensor([-4.5, 4.5], dtype=torch.float64))


def test_windows_over_the_ends_are_the_words_they_hold():
    torch.manual_seed(0)
    net = SentenceCNN(20, 2, 4, region_sizes=(4,), feature_maps=30).eval()
    for window in windows_of(net, torch.tensor([5, 6])):
        assert 0 <= window.first <= window.last <= 1


def by_loops(net, encoded):
    """n-gram -> (sentences, maps, shares), one sentence and one map at a time."""
    found = {}
    for n in range(len(encoded)):
        tokens = encoded.tokens_of(n)
        for h, shares in window_shares(net, tokens[None]):
            for f in range(shares.shape[2]):
                for s in range(shares.shape[3]):
                    if (shares[:, 0, f, s] != 0).any():
                        key = tuple(tokens[max(0, s - h + 1) : s + 1].tolist())
                        one = found.setdefault(key, [set(), 0, torch.zeros(2)])
                        one[0].add(n)
                        one[1] += 1
                        one[2] += shares[:, 0, f, s]
    return found


def test_ngrams_of_a_split_are_counted_as_a_loop_counts_them():
    task, data = trained()
    encoded = data.splits["test"].encoded.take(torch.arange(8))
    expected = by_loops(task.net, encoded)
    found = {g.tokens: g for g in driving_ngrams(task.net, encoded, least=1)}
    assert set(found) == set(expected)
    for key, (sentences, maps, shares) in expected.items():
        assert found[key].sentences == len(sentences)
        assert found[key].maps == pytest.approx(maps / len(sentences))
        torch.testing.assert_close(found[key].shares_C, shares / len(sentences), atol=1e-5, rtol=1e-4)


def test_the_planted_word_is_in_the_ngrams_that_drive_its_class():
    task, data = trained()
    words = data.tokeniser.words
    found = driving_ngrams(task.net, data.splits["test"].encoded)
    for label, planted in enumerate(("dull", "fine")):
        best = sorted(found, key=lambda g: -g.sentences * float(g.shares_C[label]))[:5]
        assert all(planted in [words[t] for t in g.tokens] for g in best)
