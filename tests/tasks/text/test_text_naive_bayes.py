"""Naive Bayes by hand: ratios, pairs, counting once, shares."""

from math import log

import pytest
import torch
from torch import nn

from tasks.text.networks import NaiveBayes
from tasks.text.networks.ngrams import commonest_pairs, pair_rows
from tasks.text.tokeniser import Tokeniser
from zoo.errors import InputError

TEXTS = ["good good film", "good plot", "bad film", "bad bad plot film"]
LABELS = torch.tensor([1, 1, 0, 0])


def started(pairs: int, **options) -> tuple[NaiveBayes, Tokeniser]:
    tokeniser = Tokeniser.trained(TEXTS)
    net = NaiveBayes(len(tokeniser), 2, pairs=pairs, **options).double()
    net.start_from(tokeniser.encode(TEXTS), LABELS)
    return net, tokeniser


def test_ratios_of_words_by_hand():
    net, tokeniser = started(0)
    # Sentences of a class that hold a word, plus 1. Positive: good 2, film 1, plot 1; negative: bad 2, film 2, plot 1.
    positive = {"good": 3, "bad": 1, "film": 2, "plot": 2}
    negative = {"good": 1, "bad": 3, "film": 3, "plot": 2}
    p, q = sum(positive.values()), sum(negative.values())
    for word in positive:
        expected = log(positive[word] / p) - log(negative[word] / q)
        row = tokeniser.words.index(word)
        assert net.embedding.ratios_RC[row].tolist() == pytest.approx([-expected, expected], abs=1e-12)
    assert not net.embedding.ratios_RC[:2].any()  # [PAD] and [UNK] never occur


def test_scores_are_naive_bayes_before_training():
    net, tokeniser = started(0, scale=1.0)
    ratio = dict(zip(tokeniser.words, net.embedding.ratios_RC[:, 1].tolist(), strict=True))
    tokens = tokeniser.encode(["good bad good unseen"]).padded(torch.tensor([0]))
    assert net(tokens)[0, 1].item() == pytest.approx(ratio["good"] + ratio["bad"], abs=1e-12)


def pairs_of(texts: list[str]) -> list[set[tuple[str, str]]]:
    return [set(zip(text.split(), text.split()[1:], strict=False)) for text in texts]


def test_pairs_against_a_plain_count():
    net, tokeniser = started(20)
    ids = {word: i for i, word in enumerate(tokeniser.words)}
    words, pairs = [set(text.split()) for text in TEXTS], pairs_of(TEXTS)
    grams = set().union(*words, *pairs)
    count = {
        g: [1 + sum(g in held for w, p, y in zip(words, pairs, LABELS, strict=True) for held in (w, p) if y == c)
            for c in (0, 1)]
        for g in grams
    }  # fmt: skip
    sums = [sum(both[c] for both in count.values()) for c in (0, 1)]
    for a, b in set().union(*pairs):
        rows = pair_rows(torch.tensor([[ids[a], ids[b]]]), net.embedding.pair_keys, len(tokeniser))
        negative, positive = count[a, b]
        expected = log(positive / sums[1]) - log(negative / sums[0])
        assert net.embedding.ratios_RC[rows[0, 1], 1].item() == pytest.approx(expected, abs=1e-12)
    assert pair_rows(torch.tensor([[ids["film"], ids["good"]]]), net.embedding.pair_keys, len(tokeniser))[0, 1] == 0


def test_the_commonest_pairs_are_kept_and_none_reaches_over_sentences():
    texts = ["a b", "a b", "c a", "b d", "b d", "b d"]
    tokeniser = Tokeniser.trained(texts)
    ids = {word: i for i, word in enumerate(tokeniser.words)}
    keys = commonest_pairs(tokeniser.encode(texts), 10, 2).tolist()
    assert keys == sorted([ids["a"] * 10 + ids["b"], ids["b"] * 10 + ids["d"]])
    assert len([key for key in commonest_pairs(tokeniser.encode(texts), 10, 9).tolist() if key < 100]) == 3


def test_three_classes_are_each_against_the_rest():
    texts, labels = ["x", "y", "z", "x y"], torch.tensor([0, 1, 2, 0])
    tokeniser = Tokeniser.trained(texts)
    net = NaiveBayes(len(tokeniser), 3, pairs=0).double()
    net.start_from(tokeniser.encode(texts), labels)
    row = tokeniser.words.index("y")
    # Class 1 holds x, y, z 0, 1, 0 times, the rest 2, 1, 1 times.
    assert net.embedding.ratios_RC[row, 1].item() == pytest.approx(log(2 / 4) - log(2 / 7), abs=1e-12)
    assert net.embedding.ratios_RC[row, 0].item() == pytest.approx(log(2 / 6) - log(2 / 5), abs=1e-12)


def test_shares_of_words_sum_to_the_score_and_a_pair_is_halved():
    net, tokeniser = started(20)
    nn.init.normal_(net.embedding.weights)
    tokens = tokeniser.encode(["good good film bad film"]).padded(torch.tensor([0]))
    shares = net.embed(tokens)
    torch.testing.assert_close(shares.sum(1) + net.bias, net(tokens))
    nn.init.zeros_(net.embedding.weights[: len(tokeniser)])
    net.embedding.start = 0.0
    first = net.embed(tokens)[0]
    weight = net.embedding.ratios_RC * net.embedding.weights * net.embedding.scale
    rows = pair_rows(tokens, net.embedding.pair_keys, len(tokeniser))[0]
    # good good | good film | film bad (not in the corpus) | bad film
    expected = [weight[rows[1]], weight[rows[1]] + weight[rows[2]], weight[rows[2]], weight[rows[4]], weight[rows[4]]]
    torch.testing.assert_close(first, torch.stack(expected) / 2)


def test_numbers_of_the_training_split_travel_with_the_net():
    net, tokeniser = started(20)
    other = NaiveBayes(len(tokeniser), 2, pairs=20).double()
    other.load_state_dict(net.state_dict())
    tokens = tokeniser.encode(TEXTS).padded(torch.arange(4))
    assert torch.equal(other(tokens), net(tokens))


def test_word_vectors_are_refused():
    with pytest.raises(InputError, match=r"model\.vectors"):
        started(5)[0].embedding.load(torch.zeros(6, 3))
