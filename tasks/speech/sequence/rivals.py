"""What a transcript is weighed against: the n best answers of our own decoder, or all sequences of a vocabulary.

Both are `made` for an alphabet and training transcripts, and then tell the `Contest` of every batch.
Legend: T = frames, B = utterances, V = labels with the blank.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from tasks.speech.alphabet import Alphabet
from tasks.speech.decoding import Scorer, prefix_beam
from tasks.speech.decoding.ngram import trained
from tasks.speech.decoding.scorers import LabelScorer
from tasks.speech.sequence.answers import Answer, graph_of, with_transcript
from tasks.speech.sequence.batched_beam import n_best
from tasks.speech.sequence.graphs import Graphs, ctc_graph, stacked
from tasks.speech.sequence.word_loop import word_loop
from zoo.errors import InputError


@dataclass(frozen=True)
class Contest:
    """The transcripts of a batch and their rivals: a list of answers each, the transcript first, or one graph."""

    spoken: list[Answer]
    listed: list[list[Answer]] | None = None
    loop: Graphs | None = None

    @property
    def answers(self) -> list[list[Answer]]:
        """Of every utterance, the transcript first.

        Raises:
            InputError: the rivals are a graph, whose answers cannot be listed.
        """
        if self.listed is None:
            raise InputError(
                "model.rivals: expected NBest, since this criterion counts the errors of whole answers, got WordLoop; "
                "take NBest, or a criterion of paths (MMI, SMBR)"
            )
        return self.listed

    @property
    def transcripts(self) -> Graphs:
        """Paths of the transcripts."""
        return stacked([ctc_graph(one.labels, one.weight) for one in self.spoken])

    @property
    def rivals(self) -> Graphs:
        """Paths of the transcripts and their rivals."""
        if self.listed is not None:
            return stacked([graph_of(answers) for answers in self.listed])
        times = len(self.spoken)
        return replace(self.loop, **{k: v.expand(times, *v.shape[1:]) for k, v in vars(self.loop).items()})


ContestOf = Callable[[Tensor, Tensor, list[list[int]]], Contest]


class Rivals(ABC):
    """Where rivals come from."""

    @abstractmethod
    def made(self, alphabet: Alphabet, transcripts: Sequence[str]) -> ContestOf:
        """(log_probs_TBV, frames_B, spoken) -> Contest, for this alphabet and these training transcripts."""


@dataclass(frozen=True)
class NBest(Rivals):
    """The likeliest answers of prefix search with the net as it is now, and the transcript if it is not among them.

    Args:
        count: answers, the transcript aside.
        width: of the search.
        order: of an n-gram over labels, trained on the training transcripts; 0 searches without one, and faster.
        weight: of the n-gram.
        bonus: for each label, beside the n-gram.
    """

    count: int = 8
    width: int = 16
    order: int = 0
    weight: float = 1.0
    bonus: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.count <= self.width:
            raise InputError(
                f"model.rivals: expected 1 <= count <= width, got count {self.count}, width {self.width}; mend one"
            )
        if self.bonus and not self.order:
            raise InputError(f"model.rivals.bonus: expected 0 without an n-gram, got {self.bonus}; set order")

    def made(self, alphabet: Alphabet, transcripts: Sequence[str]) -> ContestOf:
        """See `Rivals`."""
        scorer = None
        if self.order:
            sentences = [[alphabet.texts[label] for label in alphabet.encode(text)] for text in transcripts]
            scorer = LabelScorer(trained(sentences, self.order), alphabet.texts, self.weight, self.bonus)

        def contest(log_probs_TBV: Tensor, frames_B: Tensor, spoken: list[list[int]]) -> Contest:
            answers = [Answer(labels, bonus_of(labels, scorer)) for labels in spoken]
            heard = self._heard(log_probs_TBV, frames_B, scorer)
            return Contest(answers, [with_transcript(*row) for row in zip(answers, heard, strict=True)])

        return contest

    def _heard(self, log_probs_TBV: Tensor, frames_B: Tensor, scorer: Scorer | None) -> list[list[Answer]]:
        if scorer is None:
            found = n_best(log_probs_TBV, frames_B, self.width)
            return [[Answer(labels) for labels, _ in best[: self.count]] for best in found]
        rows = log_probs_TBV.detach().cpu().double().transpose(0, 1).numpy()
        pairs = zip(rows, frames_B.tolist(), strict=True)
        found = [prefix_beam(row[:frames], self.width, scorer)[: self.count] for row, frames in pairs]
        return [[Answer(one.labels, one.bonus) for one in best] for best in found]


@dataclass(frozen=True)
class WordLoop(Rivals):
    """All sequences of the words of the training transcripts: exact, and small where the vocabulary is.

    Args:
        weight: log-weight of each word.
        most: words, above which the graph is refused.
    """

    weight: float = 0.0
    most: int = 200

    def made(self, alphabet: Alphabet, transcripts: Sequence[str]) -> ContestOf:
        """See `Rivals`."""
        words = sorted({word for text in transcripts for word in text.split()})
        if len(words) > self.most:
            raise InputError(
                f"model.rivals: expected at most {self.most} words for WordLoop, got {len(words)}; take NBest"
            )
        separator = alphabet.units.index(" ") + 1 if " " in alphabet.units else None
        loop = word_loop({word: alphabet.encode(word) for word in words}, separator, self.weight)

        def contest(log_probs_TBV: Tensor, frames_B: Tensor, spoken: list[list[int]]) -> Contest:
            weights = [self.weight * len(alphabet.decode(labels).split()) for labels in spoken]
            return Contest([Answer(*both) for both in zip(spoken, weights, strict=True)], loop=loop)

        return contest


def bonus_of(labels: Sequence[int], scorer: Scorer | None) -> float:
    """What a scorer adds to a whole answer."""
    if scorer is None:
        return 0.0
    state, total = scorer.start(), 0.0
    for label in labels:
        total += float(scorer.scores(state)[label])
        state = scorer.after(state, label)
    return total + scorer.end(state)
