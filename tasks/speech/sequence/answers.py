"""Lists of answers, weighed by all their alignments: the short way to what graphs of the same answers give.

Legend: T = frames, B = utterances, V = labels with the blank, N = answers of an utterance, U = labels of the longest.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tasks.speech.losses import ctc_loss
from tasks.speech.sequence.graphs import NEVER, Graphs, ctc_graph, union


class Answer(NamedTuple):
    """Labels and the log-weight of a language model."""

    labels: list[int]
    weight: float = 0.0


def with_transcript(spoken: Answer, heard: Sequence[Answer]) -> list[Answer]:
    """The transcript first, then what was heard instead.

    >>> with_transcript(Answer([1]), [Answer([2]), Answer([1])])
    [Answer(labels=[1], weight=0.0), Answer(labels=[2], weight=0.0)]
    """
    return [spoken, *(one for one in heard if one.labels != spoken.labels)]


def graph_of(answers: Sequence[Answer]) -> Graphs:
    """All alignments of all answers to one utterance."""
    return union([ctc_graph(one.labels, one.weight) for one in answers])


def shares(log_probs_TBV: Tensor, frames_B: Tensor, answers_BN: list[list[Answer]], scale: float = 1.0) -> Tensor:
    """Posterior of each answer among those of its utterance, [B, N]; 0 where an utterance has fewer than N.

    In proportion to exp(weight) times the sum over its alignments of p^scale.
    """
    longest = max(map(len, answers_BN))
    filled = [answers + [Answer([], NEVER)] * (longest - len(answers)) for answers in answers_BN]
    flat = [torch.tensor(one.labels, dtype=torch.int64) for answers in filled for one in answers]
    weights_BN = log_probs_TBV.new_tensor([[one.weight for one in answers] for answers in filled])
    device = log_probs_TBV.device
    losses_B = ctc_loss(
        scale * log_probs_TBV.repeat_interleave(longest, 1),
        pad_sequence(flat, batch_first=True).to(device),
        frames_B.repeat_interleave(longest),
        torch.tensor([len(labels) for labels in flat], device=device),
    )
    # torch's gradient of CTC holds an exp(log_probs) that is right for frames that sum to one only. It is the same for
    # all answers of an utterance, and shares do not move when all change alike: here it cancels for any frames.
    return (weights_BN - losses_B.view_as(weights_BN)).softmax(-1)


def errors_of(answers_BN: list[list[Answer]], count: Callable[[list[int], list[int]], float], like: Tensor) -> Tensor:
    """Errors of each answer against the first, the transcript, [B, N]; 0 where an utterance has fewer than N."""
    rows = [[count(answers[0].labels, one.labels) for one in answers] for answers in answers_BN]
    return pad_sequence([like.new_tensor(row) for row in rows], batch_first=True)
