"""What prefix search may add to a prefix's score: n-grams over labels, or words of a lexicon with n-grams over words.

Scores are natural logarithms. Legend: V = labels with the blank.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tasks.speech.decoding.ngram import END, START, NGram
from tasks.speech.losses import BLANK
from zoo.errors import InputError

LN10 = math.log(10)


@dataclass
class LabelScorer:
    """weight ln p(label | the labels before) + bonus a label: shallow fusion with an n-gram over the net's own labels.

    Args:
        model: whose units are the labels' texts.
        alphabet: text of every label; the blank's is not looked at.
        weight: of the model.
        bonus: for each label, against the model's love of short answers.
    """

    model: NGram
    alphabet: Sequence[str]
    weight: float = 1.0
    bonus: float = 0.0
    _rows: dict[tuple[str, ...], np.ndarray] = field(default_factory=dict, repr=False)

    def start(self) -> Hashable:
        """See `Scorer`."""
        return (START,)[: self.model.order - 1]

    def scores(self, state: tuple[str, ...]) -> np.ndarray:
        """See `Scorer`."""
        row = self._rows.get(state)
        if row is None:
            logs = [0.0 if i == BLANK else self.model.log10(unit, state) * LN10 for i, unit in enumerate(self.alphabet)]
            row = self._rows[state] = self.weight * np.array(logs) + self.bonus
        return row

    def after(self, state: tuple[str, ...], label: int) -> Hashable:
        """See `Scorer`."""
        return (*state, self.alphabet[label])[-(self.model.order - 1) :] if self.model.order > 1 else ()

    def end(self, state: tuple[str, ...]) -> float:
        """See `Scorer`."""
        return self.weight * self.model.log10(END, state) * LN10


@dataclass
class WordScorer:
    """Only words of a lexicon, separated by one label; weight ln p(word | the words before) + bonus as each one ends.

    Args:
        words: text of each allowed word -> its labels.
        labels: V.
        separator: the label between words.
        model: over words; None asks for the lexicon alone.
        weight: of the model.
        bonus: for each word.

    Raises:
        InputError: a word without labels, or with the separator or the blank in it.
    """

    words: dict[str, Sequence[int]]
    labels: int
    separator: int
    model: NGram | None = None
    weight: float = 1.0
    bonus: float = 0.0

    def __post_init__(self) -> None:
        # A node of the tree of spellings: labels that may follow, and the words that end here.
        self._next: list[dict[int, int]] = [{}]
        self._ends: list[list[str]] = [[]]
        for word, spelling in self.words.items():
            if not spelling or {BLANK, self.separator} & set(spelling):
                raise InputError(
                    f"lexicon: expected labels without blank and separator for {word!r}, got {list(spelling)}; mend it"
                )
            self._ends[self._node(spelling)].append(word)

    def _node(self, spelling: Sequence[int]) -> int:
        node = 0
        for label in spelling:
            if label not in self._next[node]:
                self._next[node][label] = len(self._next)
                self._next.append({})
                self._ends.append([])
            node = self._next[node][label]
        return node

    def start(self) -> Hashable:
        """See `Scorer`."""
        return 0, self._context((START,))

    def _context(self, words: tuple[str, ...]) -> tuple[str, ...]:
        kept = self.model.order - 1 if self.model else 0
        return words[-kept:] if kept else ()

    def _best_word(self, node: int, context: tuple[str, ...]) -> tuple[float, str | None]:
        # Words that are spelt alike differ in the model alone: the likelier is meant.
        if self.model is None:
            return (self.bonus, self._ends[node][0]) if self._ends[node] else (-math.inf, None)
        logs = [(self.weight * self.model.log10(w, context) * LN10 + self.bonus, w) for w in self._ends[node]]
        return max(logs, default=(-math.inf, None))

    def scores(self, state: tuple[int, tuple[str, ...]]) -> np.ndarray:
        """See `Scorer`."""
        node, context = state
        row = np.full(self.labels, -np.inf)
        row[list(self._next[node])] = 0.0
        row[self.separator] = self._best_word(node, context)[0] if node else -np.inf
        return row

    def after(self, state: tuple[int, tuple[str, ...]], label: int) -> Hashable:
        """See `Scorer`."""
        node, context = state
        if label != self.separator:
            return self._next[node][label], context
        return 0, self._context((*context, self._best_word(node, context)[1]))

    def end(self, state: tuple[int, tuple[str, ...]]) -> float:
        """See `Scorer`: the last word must be whole, or the separator the last label, or nothing be said."""
        node, context = state
        score, word = self._best_word(node, context) if node else (0.0, None)
        if self.model is not None and score > -math.inf:
            last = self._context((*context, word)) if word else context
            score += self.weight * self.model.log10(END, last) * LN10
        return score
