"""Decoders bound to an alphabet and texts, mixtures of n-grams, and both kinds of error rates of a test."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch

from tasks.speech.alphabet import Alphabet
from tasks.speech.data import SpeechData, Utterances
from tasks.speech.decoding import prefix_beam
from tasks.speech.decoding.decoder import Decoder, LabelBeam, Texts, WordBeam, letters
from tasks.speech.decoding.mixture import Mixture
from tasks.speech.decoding.ngram import START, trained, write_arpa
from tasks.speech.features import Features
from tasks.speech.networks import Conv
from tasks.speech.task import CTCRecognition, errors_of
from zoo.errors import InputError

ALPHABET = Alphabet.of(["a cat sat", "cot"], "characters")
TEXTS = Texts(["a cat sat", "cat", "a cat"], ["a cot"])


def log_probs(spelt: list[dict[str, float]]) -> np.ndarray:
    """A frame for each choice of letters with a blank after it; what is left is spread evenly."""
    rows = []
    for choice in spelt:
        row = np.full(len(ALPHABET), (1 - sum(choice.values())) / (len(ALPHABET) - len(choice)))
        for letter, share in choice.items():
            row[ALPHABET.texts.index(letter)] = share
        blank = np.full(len(ALPHABET), 0.01)
        blank[0] = 1 - 0.01 * (len(ALPHABET) - 1)
        rows += [row, blank]
    return np.log(np.array(rows))


COT = log_probs([{"c": 0.9}, {"o": 0.55, "a": 0.4}, {"t": 0.9}])


def text_of(decoder: Decoder, texts: Texts = TEXTS, log_probs_TV: np.ndarray = COT) -> str:
    return ALPHABET.decode(decoder.bound(ALPHABET, texts)(log_probs_TV))


def test_the_texts_decide_where_the_sound_does_not():
    assert text_of(LabelBeam(order=3, weight=0.0, bonus=0.0)) == "cot"
    assert text_of(LabelBeam(order=3, weight=1.0), Texts(["cat", "a cat"])) == "cat"
    assert text_of(LabelBeam(order=3, weight=1.0), Texts(["cot", "a cot"])) == "cot"


def test_a_lexicon_allows_nothing_else():
    unclear = log_probs([{"c": 0.9}, {"o": 0.98}, {"t": 0.9}])
    assert text_of(WordBeam(weight=0.0, bonus=0.0), Texts(["a cat sat"]), unclear) == "cat"
    assert text_of(WordBeam(weight=0.0, bonus=0.0), TEXTS, unclear) == "cot"  # a word of the other texts
    spaced = log_probs([{"a": 0.9}, {" ": 0.9}, {"c": 0.9}, {"a": 0.6, "o": 0.3}, {"t": 0.9}])
    assert text_of(WordBeam(), TEXTS, spaced) == "a cat"


def test_without_weight_the_decoder_is_plain_prefix_search():
    rows = torch.randn(12, len(ALPHABET)).log_softmax(-1).numpy()
    plain = prefix_beam(rows, 64)[0].labels
    assert LabelBeam(weight=0.0, bonus=0.0).bound(ALPHABET, TEXTS)(rows) == plain


def test_a_file_gives_what_training_gives(tmp_path):
    write_arpa(trained([letters(text) for text in TEXTS.transcripts], 3), tmp_path / "letters.arpa")
    write_arpa(trained([text.split() for text in TEXTS.transcripts], 2), tmp_path / "words.arpa")
    spaced = log_probs([{"a": 0.5, "s": 0.4}, {" ": 0.5, "a": 0.3}, {"c": 0.9}, {"a": 0.4, "o": 0.5}, {"t": 0.9}])
    for make, file in ((partial(LabelBeam, order=3), "letters"), (partial(WordBeam, order=2), "words")):
        by_file = text_of(make(arpa=str(tmp_path / f"{file}.arpa")), Texts([]), spaced)
        assert by_file == text_of(make(), Texts(TEXTS.transcripts), spaced) == "a cat"


def test_words_need_characters_with_a_space():
    for alphabet in (Alphabet.of(["one two"], "words"), Alphabet.of(["abc"], "characters")):
        with pytest.raises(InputError, match="expected characters with a space among them for WordBeam"):
            WordBeam().bound(alphabet, TEXTS)


def test_a_mixture_sums_to_one_and_lies_between_its_models():
    main, other = (trained([list(text) for text in texts], 3) for texts in (["abab", "ba"], ["cbcb", "cc", "a"]))
    mixed = Mixture(main, other, 0.6)
    for history in [(START,), *itertools.product("abc", repeat=2)]:
        total = sum(10 ** mixed.log10(unit, history) for unit in mixed.vocabulary)
        assert math.isclose(total, 1, abs_tol=1e-12)
        known = [10 ** model.log10("a", history) for model in (main, other)]
        assert math.isclose(10 ** mixed.log10("a", history), 0.6 * known[0] + 0.4 * known[1], rel_tol=1e-12)
    with pytest.raises(InputError, match="share: expected between 0 and 1, got 1"):
        Mixture(main, other, 1)


def test_errors_are_counted_in_words_and_characters():
    assert errors_of(["a cat sat", ""], ["a cat", "b"]) == {
        "word_errors": [1.0, 1.0],
        "words": [3.0, 0.0],
        "character_errors": [4.0, 1.0],
        "characters": [9.0, 0.0],
    }


class Fixed(Decoder):
    """Always the same answer."""

    def scorer(self, alphabet, texts):
        """None is needed."""

    def bound(self, alphabet, texts):
        """The training transcripts' first, whatever is heard."""
        return lambda log_probs_TV: alphabet.encode(texts.transcripts[0])


class Murmurs(SpeechData):
    """Noise in which nothing can be told."""

    def load(self):
        """See `SpeechData`."""
        texts = ["ab b", "b", "a", "aa b", "ba"]
        whole = Utterances.of(
            [torch.randn(2000) / 9 for _ in texts], texts, ["s"] * 5, [f"u{n}" for n in range(5)], 8000
        )
        return {"train": whole.take([0, 1]), "test": whole.take([2, 3, 4])}


def test_a_test_reports_greedy_and_decoder_side_by_side(quick):
    tones = Murmurs(features=Features(rate=8000, bands=20))
    task = CTCRecognition(Conv(20, 4, 8, (3,), 1), partial(torch.optim.AdamW, lr=5e-3), decoder=Fixed())
    found = quick(threads=1).test(task, datamodule=tones, verbose=False)[0]
    texts, answer = tones.splits["test"].texts, tones.splits["train"].texts[0]
    errors = errors_of(texts, [answer] * len(texts))
    for rate, unit in (("wer", "word"), ("cer", "character")):
        expected = sum(errors[f"{unit}_errors"]) / sum(errors[f"{unit}s"])
        assert math.isclose(found[f"test/beam_{rate}"], expected, rel_tol=1e-6)
    assert {"test/wer", "test/cer"} < set(found)
