"""Answers from a closed list: the most probable transcript of those that the training set has.

Legend: V = labels with the blank.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.speech.alphabet import Alphabet
from tasks.speech.decoding.decoder import Decoder, Texts
from tasks.speech.decoding.prefix_beam import Scorer


@dataclass(frozen=True)
class ListScorer:
    """Allows the label sequences of a list and nothing else; all of them alike.

    Args:
        allowed: the sequences.
        labels: V.
    """

    allowed: frozenset[tuple[int, ...]]
    labels: int

    def start(self) -> Hashable:
        """See `Scorer`."""
        return ()

    def scores(self, state: tuple[int, ...]) -> np.ndarray:
        """See `Scorer`."""
        row = np.full(self.labels, -np.inf)
        size = len(state)
        row[[one[size] for one in self.allowed if len(one) > size and one[:size] == state]] = 0.0
        return row

    def after(self, state: tuple[int, ...], label: int) -> Hashable:
        """See `Scorer`."""
        return (*state, label)

    def end(self, state: tuple[int, ...]) -> float:
        """See `Scorer`."""
        return 0.0 if state in self.allowed else -np.inf


@dataclass(frozen=True)
class ClosedList(Decoder):
    """Prefix search among the training transcripts, such as the ten words of isolated digits; no n-gram.

    Args:
        width: prefixes kept; the answer is the exact argmax where all prefixes of the list fit in.
    """

    width: int = 64

    def scorer(self, alphabet: Alphabet, texts: Texts) -> Scorer:
        """See `Decoder`."""
        return ListScorer(encoded(alphabet, sorted({*texts.transcripts, *texts.others})), len(alphabet))


def encoded(alphabet: Alphabet, texts: Sequence[str]) -> frozenset[tuple[int, ...]]:
    """Label sequences of different texts."""
    return frozenset(tuple(alphabet.encode(text)) for text in texts)
