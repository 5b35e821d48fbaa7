"""What a transcript is weighed against: the n best answers of our own decoder, or all sequences of a vocabulary.

Both are recipes that are `made` for an alphabet and training transcripts; made, they turn the log-probabilities of a
batch into `Contest`. Legend: T = frames, B = utterances, V = labels with the blank.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor

from tasks.speech.alphabet import Alphabet
from tasks.speech.decoding import Scorer, prefix_beam
from tasks.speech.decoding.ngram import trained
from tasks.speech.decoding.scorers import LabelScorer
from tasks.speech.sequence.graphs import Graphs, ctc_graph, stacked, union
from tasks.speech.sequence.word_loop import word_loop
from zoo.errors import InputError

Errors = Callable[[Sequence[int], Sequence[int]], float]  # (spoken, heard) -> how many


class Contest(NamedTuple):
    """Paths of the transcripts, and paths of them and their rivals; both with the language model's weights."""

    spoken: Graphs
    rivals: Graphs


ContestOf = Callable[[Tensor, Tensor, list[list[int]], Errors | None], Contest]


class Rivals(ABC):
    """Where rivals come from."""

    @abstractmethod
    def made(self, alphabet: Alphabet, transcripts: Sequence[str]) -> ContestOf:
        """(log_probs_TBV, frames_B, spoken, errors) -> Contest, for this alphabet and these training transcripts."""


@dataclass(frozen=True)
class NBest(Rivals):
    """The likeliest answers of prefix search with the net as it is now, and the transcript where it is not among them.

    Args:
        count: answers, the transcript aside.
        width: of the search.
        order: of an n-gram over labels, trained on the training transcripts; 0 searches without one.
        weight: of the n-gram.
        bonus: for each label.
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

    def made(self, alphabet: Alphabet, transcripts: Sequence[str]) -> ContestOf:
        """See `Rivals`."""
        scorer = None
        if self.order:
            sentences = [[alphabet.texts[label] for label in alphabet.encode(text)] for text in transcripts]
            scorer = LabelScorer(trained(sentences, self.order), alphabet.texts, self.weight, self.bonus)

        def contest(log_probs_TBV: Tensor, frames_B: Tensor, spoken: list[list[int]], errors: Errors | None) -> Contest:
            weights = [bonus_of(labels, scorer) for labels in spoken]
            heard = n_best(log_probs_TBV, frames_B, self.count, self.width, scorer)
            graphs = [contenders(*row, errors) for row in zip(spoken, weights, heard, strict=True)]
            of_spoken = [ctc_graph(labels, weight) for labels, weight in zip(spoken, weights, strict=True)]
            return Contest(stacked(of_spoken), stacked(graphs))

        return contest


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

        def contest(log_probs_TBV: Tensor, frames_B: Tensor, spoken: list[list[int]], errors: Errors | None) -> Contest:
            if errors is not None:
                raise InputError(
                    "model.rivals: expected NBest, since errors are counted by whole answers, got WordLoop; "
                    "take NBest, or a criterion of paths (MMI, SMBR)"
                )
            weights = [self.weight * len(alphabet.decode(labels).split()) for labels in spoken]
            of_spoken = [ctc_graph(labels, weight) for labels, weight in zip(spoken, weights, strict=True)]
            return Contest(stacked(of_spoken), repeated(loop, len(spoken)))

        return contest


def n_best(
    log_probs_TBV: Tensor, frames_B: Tensor, count: int, width: int, scorer: Scorer | None = None
) -> list[list[tuple[list[int], float]]]:
    """(labels, log-weight of the scorer) of the `count` best answers to every utterance."""
    rows = log_probs_TBV.detach().cpu().double().transpose(0, 1).numpy()
    found = [
        prefix_beam(row[:frames], width, scorer)[:count] for row, frames in zip(rows, frames_B.tolist(), strict=True)
    ]
    return [[(one.labels, one.bonus) for one in best] for best in found]


def contenders(
    spoken: list[int], weight: float, heard: Sequence[tuple[list[int], float]], errors: Errors | None = None
) -> Graphs:
    """The transcript and what was heard instead as one graph; the value of each is how many errors it has."""
    rest = [(labels, bonus) for labels, bonus in heard if labels != spoken]
    return union(
        [
            ctc_graph(labels, bonus, errors(spoken, labels) if errors else 0.0)
            for labels, bonus in [(spoken, weight), *rest]
        ]
    )


def bonus_of(labels: Sequence[int], scorer: Scorer | None) -> float:
    """What a scorer adds to a whole answer."""
    if scorer is None:
        return 0.0
    state, total = scorer.start(), 0.0
    for label in labels:
        total += float(scorer.scores(state)[label])
        state = scorer.after(state, label)
    return total + scorer.end(state)


def repeated(graph: Graphs, times: int) -> Graphs:
    """The same graph for several utterances."""
    return replace(graph, **{k: v.expand(times, *v.shape[1:]) for k, v in vars(graph).items()})
