"""The graph of all sequences of the words of a small vocabulary: the exact denominator of connected digits.

Legend: S = states, K = most predecessors of a state.
"""

from collections.abc import Mapping, Sequence

import torch

from tasks.speech.losses import BLANK
from tasks.speech.sequence.graphs import NEVER, Graphs


def word_loop(words: Mapping[str, Sequence[int]], separator: int | None = None, weight: float = 0.0) -> Graphs:
    """All alignments of all sequences of words, none among them, [1, S].

    Args:
        words: text of each -> its labels.
        separator: the label between two words; None where they follow each other at once.
        weight: log-weight of each word, such as -log(number of words).

    >>> from tasks.speech.sequence.graphs import log_total
    >>> half = torch.full((2, 1, 2), 0.5, dtype=torch.float64).log()
    >>> round(log_total(half, torch.tensor([2]), word_loop({"a": [1]})).exp().item(), 4)
    1.0
    """
    labels, moves = [BLANK], {(0, 0): 0.0}  # state 0: the blank before everything
    entries, exits = [], []
    for spelling in words.values():
        entry = len(labels)
        _add_chain(labels, moves, spelling)
        entries.append(entry)
        exits += [len(labels) - 2, len(labels) - 1]  # the last label, and the blank after it
    starts = [0]
    if separator is not None:
        starts, gap = [0, len(labels), len(labels) + 1], len(labels)
        labels += [separator, BLANK]
        moves |= {(gap, gap): 0.0, (gap, gap + 1): 0.0, (gap + 1, gap + 1): 0.0} | dict.fromkeys(
            ((one, gap) for one in exits), 0.0
        )
    else:
        starts += exits
    for entry in entries:
        moves |= {(one, entry): weight for one in starts if labels[one] != labels[entry]}
    initial = {0: 0.0} | dict.fromkeys(entries, weight)
    return _graph(labels, moves, initial, [0, *exits])


def _add_chain(labels: list[int], moves: dict[tuple[int, int], float], spelling: Sequence[int]) -> None:
    """Label, blank, label, blank ... of a word."""
    for position, label in enumerate(spelling):
        here = len(labels)
        labels += [label, BLANK]
        moves |= {(here, here): 0.0, (here, here + 1): 0.0, (here + 1, here + 1): 0.0}
        if position:
            moves[here - 1, here] = 0.0
            if label != spelling[position - 1]:
                moves[here - 2, here] = 0.0


def _graph(
    labels: list[int], moves: dict[tuple[int, int], float], initial: dict[int, float], final: list[int]
) -> Graphs:
    before: list[list[tuple[int, float]]] = [[] for _ in labels]
    for (one, other), weight in moves.items():
        before[other].append((one, weight))
    kinds = max(map(len, before))
    filled = [row + [(0, NEVER)] * (kinds - len(row)) for row in before]
    weights_SK = torch.tensor([[weight for _, weight in row] for row in filled], dtype=torch.float64)
    initial_S, final_S = torch.full((2, len(labels)), NEVER, dtype=torch.float64)
    initial_S[list(initial)] = torch.tensor(list(initial.values()), dtype=torch.float64)
    final_S[final] = 0.0
    states_S, predecessors_SK = torch.tensor(labels), torch.tensor([[one for one, _ in row] for row in filled])
    parts = (states_S, predecessors_SK, weights_SK, initial_S, final_S, torch.zeros_like(final_S))
    return Graphs(*(part[None] for part in parts))
