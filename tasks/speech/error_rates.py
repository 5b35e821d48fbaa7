"""Word, character and phoneme error rates, with the alignment that they count on."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["match", "substitution", "deletion", "insertion"]


@dataclass(frozen=True)
class Step:
    """One step of an alignment; `said` is None for an insertion, `heard` for a deletion."""

    kind: Kind
    said: Hashable | None
    heard: Hashable | None


@dataclass(frozen=True)
class ErrorRate:
    """Errors of a whole set, by kind, and what they are counted against."""

    substitutions: int
    deletions: int
    insertions: int
    said: int

    @property
    def errors(self) -> int:
        """All errors."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors over units said; above 1 where more was inserted than said, infinite where nothing was said."""
        if self.said:
            return self.errors / self.said
        return float("inf") if self.errors else 0.0


def alignment(said: Sequence[Hashable], heard: Sequence[Hashable]) -> list[Step]:
    """A cheapest way from `said` to `heard` by substitutions, deletions and insertions. Levenshtein (1966).

    Among equally cheap ways the one with the most matches and substitutions at the end is taken.

    >>> [step.kind for step in alignment("abc", "axcd")]
    ['match', 'substitution', 'match', 'insertion']
    """
    costs = edit_costs(said, heard)
    steps: list[Step] = []
    i, j = len(said), len(heard)
    while i or j:
        if i and j and costs[i][j] == costs[i - 1][j - 1] + (said[i - 1] != heard[j - 1]):
            kind: Kind = "match" if said[i - 1] == heard[j - 1] else "substitution"
            steps.append(Step(kind, said[i - 1], heard[j - 1]))
            i, j = i - 1, j - 1
        elif i and costs[i][j] == costs[i - 1][j] + 1:
            steps.append(Step("deletion", said[i - 1], None))
            i -= 1
        else:
            steps.append(Step("insertion", None, heard[j - 1]))
            j -= 1
    return steps[::-1]


def edit_costs(said: Sequence[Hashable], heard: Sequence[Hashable]) -> list[list[int]]:
    """costs[i][j]: the edit distance of the first i units said to the first j heard."""
    costs = [list(range(len(heard) + 1))]
    for i, one in enumerate(said, 1):
        above, row = costs[-1], [i]
        for j, other in enumerate(heard, 1):
            row.append(min(above[j - 1] + (one != other), above[j] + 1, row[j - 1] + 1))
        costs.append(row)
    return costs


def edit_distance(said: Sequence[Hashable], heard: Sequence[Hashable]) -> int:
    """Least number of substitutions, deletions and insertions.

    >>> edit_distance("kitten", "sitting")
    3
    """
    return edit_costs(said, heard)[-1][-1]


def error_rate(pairs: Sequence[tuple[Sequence[Hashable], Sequence[Hashable]]]) -> ErrorRate:
    """Errors of all (said, heard) pairs together, over all units said: not a mean of rates.

    >>> error_rate([("one two".split(), "one too".split()), (["four"], [])]).rate
    0.6666666666666666
    """
    kinds = Counter(step.kind for said, heard in pairs for step in alignment(said, heard))
    total = sum(len(said) for said, _ in pairs)
    return ErrorRate(kinds["substitution"], kinds["deletion"], kinds["insertion"], total)


def confusion_pairs(
    pairs: Sequence[tuple[Sequence[Hashable], Sequence[Hashable]]],
) -> list[tuple[Hashable, Hashable, int]]:
    """(said, heard, how often) of every substitution, the most frequent first."""
    found = Counter(
        (step.said, step.heard)
        for said, heard in pairs
        for step in alignment(said, heard)
        if step.kind == "substitution"
    )
    return [(said, heard, count) for (said, heard), count in found.most_common()]
