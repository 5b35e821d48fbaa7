"""Language models and lexica in prefix search, against ranking every label sequence by hand."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
import torch

from tasks.speech.decoding import collapsed, prefix_beam
from tasks.speech.decoding.ngram import trained
from tasks.speech.decoding.scorers import LN10, LabelScorer, WordScorer
from zoo.errors import InputError


def sequences(seed, frames, labels):
    """Log-probabilities of frames, and label sequence -> log-probability by enumeration."""
    generator = torch.Generator().manual_seed(seed)
    log_probs = (torch.randn(frames, labels, generator=generator, dtype=torch.float64) * 2).log_softmax(-1).numpy()
    found = defaultdict(float)
    for path in itertools.product(range(labels), repeat=frames):
        found[tuple(collapsed(list(path)))] += np.exp(log_probs[range(frames), path].sum())
    return log_probs, {key: np.log(value) for key, value in found.items()}


@pytest.mark.parametrize("order", [1, 2, 3])
def test_fusion_adds_the_sentence_probability_and_a_bonus_a_label(order):
    model = trained([list("aba"), list("ab"), list("b")], order)
    log_probs, all_of_them = sequences(order, 5, 3)
    expected = {
        labels: log_prob + 0.6 * LN10 * model.sentence_log10(["-ab"[i] for i in labels]) + 0.3 * len(labels)
        for labels, log_prob in all_of_them.items()
    }
    found = prefix_beam(log_probs, 10_000, LabelScorer(model, "-ab", 0.6, 0.3))
    assert {tuple(h.labels): h.score for h in found} == pytest.approx(expected, rel=1e-9)


def allowed(labels, spellings):
    """The words of a label sequence with separator 3, or None."""
    groups = [tuple(group) for is_end, group in itertools.groupby(labels, lambda label: label == 3) if not is_end]
    clean = labels[:1] != (3,) and (3, 3) not in itertools.pairwise(labels)
    return [spellings[group] for group in groups] if clean and all(group in spellings for group in groups) else None


@pytest.mark.parametrize("seed", range(3))
def test_a_lexicon_allows_its_words_alone_and_the_model_weighs_them(seed):
    lexicon = {"ja": [1], "nein": [2, 1]}
    spellings = {tuple(labels): word for word, labels in lexicon.items()}
    model = trained([["ja", "ja"], ["nein"], ["ja", "nein"]], 2)
    log_probs, all_of_them = sequences(seed, 6, 4)
    expected = {}
    for labels, log_prob in all_of_them.items():
        words = allowed(labels, spellings)
        if words is not None:
            expected[labels] = log_prob + 0.5 * LN10 * model.sentence_log10(words) + 0.2 * len(words)
    found = prefix_beam(log_probs, 10_000, WordScorer(lexicon, 4, 3, model, 0.5, 0.2))
    assert {tuple(h.labels): h.score for h in found} == pytest.approx(expected, rel=1e-9)
    alone = prefix_beam(log_probs, 10_000, WordScorer(lexicon, 4, 3))
    assert {tuple(h.labels): h.score for h in alone} == pytest.approx(
        {key: all_of_them[key] for key in expected}, rel=1e-9
    )


def test_words_spelt_alike_are_told_apart_by_the_model():
    model = trained([["two"], ["two"], ["too"]], 1)
    best = WordScorer({"too": [1], "two": [1]}, 3, 2, model).end((1, ()))
    assert best == pytest.approx(LN10 * model.sentence_log10(["two"]))


def test_a_word_without_labels_is_refused():
    for spelling in ([], [1, 2], [0]):
        with pytest.raises(InputError, match="lexicon: expected labels"):
            WordScorer({"x": spelling}, 3, 2)
    assert math.isinf(WordScorer({"x": [1, 1]}, 3, 2).end((1, ())))
