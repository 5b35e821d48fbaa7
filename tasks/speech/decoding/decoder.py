"""Decoders that a recogniser can be judged by beside its best path: prefix search with n-grams and lexica.

Legend: T = frames, V = labels with the blank.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.speech.alphabet import Alphabet
from tasks.speech.decoding.mixture import Mixture
from tasks.speech.decoding.ngram import NGram, read_arpa, trained
from tasks.speech.decoding.prefix_beam import Scorer, prefix_beam
from tasks.speech.decoding.scorers import LabelScorer, WordScorer
from zoo.errors import InputError

SPACE = "<space>"
Decoded = Callable[[np.ndarray], list[int]]  # log_probs_TV -> labels


@dataclass(frozen=True)
class Texts:
    """What language models learn from: training transcripts, and other texts that hold no transcript to be judged."""

    transcripts: Sequence[str]
    others: Sequence[str] = ()


class Decoder(ABC):
    """Settings of a decoder; `bound` gives it the alphabet and the texts of a set."""

    width: int

    @abstractmethod
    def scorer(self, alphabet: Alphabet, texts: Texts) -> Scorer:
        """What is added to the score of a prefix."""

    def bound(self, alphabet: Alphabet, texts: Texts) -> Decoded:
        """log_probs_TV -> labels of the best answer; none where no answer is allowed."""
        scorer = self.scorer(alphabet, texts)

        def decoded(log_probs_TV: np.ndarray) -> list[int]:
            found = prefix_beam(log_probs_TV, self.width, scorer)
            return found[0].labels if found else []

        return decoded


@dataclass(frozen=True)
class LabelBeam(Decoder):
    """Prefix search with an n-gram over the net's own labels: any word can come out.

    Args:
        width: prefixes kept.
        order: of the n-gram.
        weight: of the n-gram's logarithms.
        bonus: for each label.
        share: of the transcripts' n-gram where it is mixed with that of other texts.
        arpa: file with the n-gram over labels, in which a space is called <space>; None trains it on the set's texts.
    """

    width: int = 64
    order: int = 6
    weight: float = 0.5
    bonus: float = 0.5
    share: float = 0.7
    arpa: str | None = None

    def scorer(self, alphabet: Alphabet, texts: Texts) -> Scorer:
        """See `Decoder`."""
        split = str.split if alphabet.kind == "words" else letters
        model = read_arpa(Path(self.arpa)) if self.arpa else language_model(texts, split, self.order, self.share)
        return LabelScorer(model, letters(alphabet.texts), self.weight, self.bonus)


@dataclass(frozen=True)
class WordBeam(Decoder):
    """Prefix search that spells words of the set's texts only, with an n-gram over words.

    Args:
        width: prefixes kept.
        order: of the n-gram.
        weight: of the n-gram's logarithms.
        bonus: for each word.
        share: of the transcripts' n-gram where it is mixed with that of other texts.
        arpa: file with the n-gram over words, whose words are the lexicon; None trains it on the set's texts.
    """

    width: int = 64
    order: int = 3
    weight: float = 1.0
    bonus: float = 1.0
    share: float = 0.7
    arpa: str | None = None

    def scorer(self, alphabet: Alphabet, texts: Texts) -> Scorer:
        """See `Decoder`.

        Raises:
            InputError: the alphabet is of words, or has no space.
        """
        if alphabet.kind != "characters" or " " not in alphabet.units:
            raise InputError(
                "model.decoder: expected characters with a space among them for WordBeam, got "
                f"{alphabet.kind} {' '.join(alphabet.units)!r}; take LabelBeam"
            )
        model = read_arpa(Path(self.arpa)) if self.arpa else language_model(texts, str.split, self.order, self.share)
        words = sorted(word for word in set(model.vocabulary) if set(word) <= set(alphabet.units))
        spelt = {word: alphabet.encode(word) for word in words}
        separator = alphabet.texts.index(" ")
        return WordScorer(spelt, len(alphabet), separator, model, self.weight, self.bonus)


def letters(text: Sequence[str]) -> list[str]:
    """Characters as units of an n-gram, whose files divide units by spaces.

    >>> letters("a b")
    ['a', '<space>', 'b']
    """
    return [SPACE if letter == " " else letter for letter in text]


def language_model(texts: Texts, split: Callable[[str], Sequence[str]], order: int, share: float) -> NGram | Mixture:
    """The n-gram of the transcripts, mixed with that of the other texts where there are some."""
    main = trained([split(text) for text in texts.transcripts], order)
    if not texts.others:
        return main
    return Mixture(main, trained([split(text) for text in texts.others], order), share)
