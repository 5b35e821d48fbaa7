"""Sentences as the net reads and answers them.

Legend: N = sentences, C = classes, M = tokens of all sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.text.class_logit import evaluating
from tasks.text.pieces import spans
from tasks.text.tokeniser import UNKNOWN, Encoded, Tokeniser
from tasks.text.word_values import by_length
from zoo.errors import InputError
from zoo.reports.words import Word


@dataclass(frozen=True)
class Judged:
    """Sentences, their tokens, the net's answers and, where they are known, the labels."""

    texts: list[str]
    encoded: Encoded
    probabilities_NC: Tensor
    labels_N: Tensor | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def predicted_N(self) -> Tensor:
        """The class that each sentence is given."""
        return self.probabilities_NC.argmax(1)

    @property
    def wrong_N(self) -> Tensor:
        """Where that is not the label; nowhere without labels."""
        if self.labels_N is None:
            return torch.zeros(len(self), dtype=torch.bool)
        return self.predicted_N != self.labels_N

    def take(self, chosen: Tensor) -> "Judged":
        """The chosen sentences."""
        labels = None if self.labels_N is None else self.labels_N[chosen]
        texts = [self.texts[n] for n in chosen.tolist()]
        return Judged(texts, self.encoded.take(chosen), self.probabilities_NC[chosen], labels)

    def words(self, n: int, values_M: Tensor) -> list[Word]:
        """Sentence n with a value a token, from values of all tokens."""
        own = slice(int(self.encoded.starts[n]), int(self.encoded.starts[n + 1]))
        unknown = (self.encoded.tokens_M[own] == UNKNOWN).tolist()
        cut = bool(self.encoded.cut_N[n])
        return words_of(self.texts[n], self.encoded.offsets_of(n), values_M[own].tolist(), unknown, cut)


@torch.no_grad()
def judged(net: nn.Module, texts: list[str], encoded: Encoded, labels_N: Tensor | None = None) -> Judged:
    """The net's answers, in eval mode; sentences of like length are read together.

    Raises:
        InputError: no sentence.
    """
    if not texts:
        raise InputError("sentences: expected at least 1, got 0; give some")
    chosen = list(by_length(encoded.lengths_N))
    parts = [evaluating(net, lambda c=c: net(encoded.padded(c))).float().softmax(1) for c in chosen]
    return Judged(texts, encoded, torch.cat(parts)[torch.cat(chosen).argsort()], labels_N)


def answers_to(net: nn.Module, tokeniser: Tokeniser, texts: list[str]) -> Judged:
    """The net's answers to a user's sentences."""
    return judged(net, texts, tokeniser.encode(texts))


def chosen_examples(seen: Judged, choose: str, count: int) -> Tensor:
    """Indices of the sentences to look at.

    Args:
        seen: all of them, with labels.
        choose: "each" (the first of every class, then the second ...), "misclassified" (lowest probability of the true
            class first), or indices such as "3,17".
        count: how many at most.

    Raises:
        InputError: another word, or an index beyond the split.
    """
    if choose == "each":
        ranks_N = torch.zeros(len(seen), dtype=torch.int64)
        for c in range(seen.probabilities_NC.shape[1]):
            ranks_N[seen.labels_N == c] = torch.arange(int((seen.labels_N == c).sum()))
        return (ranks_N * seen.probabilities_NC.shape[1] + seen.labels_N).argsort()[:count]
    if choose == "misclassified":
        of_truth_N = seen.probabilities_NC.gather(1, seen.labels_N[:, None])[:, 0]
        wrong = seen.wrong_N.nonzero()[:, 0]
        return wrong[of_truth_N[wrong].argsort()][:count]
    numbers = choose.split(",")
    if not all(word.strip().isdigit() and int(word) < len(seen) for word in numbers):
        raise InputError(
            f"--choose: expected each, misclassified, or indices below {len(seen)}, got {choose!r}; mend it"
        )
    return torch.tensor([int(word) for word in numbers][:count])


def words_of(
    text: str, offsets: Sequence[tuple[int, int]], values: Sequence[float], unknown: Sequence[bool], cut: bool = False
) -> list[Word]:
    """The text as words with their values; they join to it exactly.

    Args:
        text: the original sentence.
        offsets, values, unknown: one a token.
        cut: whether tokens beyond the limit were left out, behind the last of these.

    >>> [word.text for word in words_of("A bird!", [(0, 1), (2, 6)], [1.0, 2.0], [False, False])]
    ['A', ' ', 'bird', '!']
    """
    strange = [s[2] > 0 for s in spans(text, offsets, [float(u) for u in unknown])]
    found: list[Word] = []
    at = 0
    for (start, stop, value), odd in zip(spans(text, offsets, values), strange, strict=True):
        found += [Word(text[at:start])] if start > at else []
        found.append(Word(text[start:stop], value, odd))
        at = stop
    return found + ([Word(text[at:], unread=cut)] if at < len(text) else [])
