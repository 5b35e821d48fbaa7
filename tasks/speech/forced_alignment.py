"""When each letter and word of a transcript was said: the best path of CTC through it.

Legend: T = frames, V = labels with the blank.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from tasks.speech.alphabet import Alphabet
from tasks.speech.losses import BLANK, frames_needed
from zoo.errors import InputError


@dataclass(frozen=True)
class Timed:
    """A letter or word, from where to where it was heard, and how sure the net is of it, 0 to 1."""

    text: str
    start: float
    end: float
    confidence: float


def timed_labels(log_probs_TV: Tensor, labels: Sequence[int]) -> list[tuple[int, int, float]]:
    """(first frame, frame behind the last, mean log-probability) of every label on the best path that spells them.

    torchaudio's forced alignment. CTC's peaks are narrow: a label's frames lie within its sound and do not fill it.

    Raises:
        InputError: fewer frames than the labels need.

    >>> log_probs = torch.tensor([[0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.9, 0.1]]).log()
    >>> [(start, end) for start, end, _ in timed_labels(log_probs, [1])]
    [(1, 3)]
    """
    from torchaudio.functional import forced_align, merge_tokens

    if not labels:
        return []
    if len(log_probs_TV) < frames_needed(labels):
        raise InputError(
            f"alignment: expected {frames_needed(labels)} frames or more for {len(labels)} labels, got "
            f"{len(log_probs_TV)}; take a smaller stride, hop or stack"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # announcements of torchaudio's about its other parts
        path_1T, scores_1T = forced_align(log_probs_TV[None].float(), torch.tensor([list(labels)]), blank=BLANK)
        return [(span.start, span.end, span.score) for span in merge_tokens(path_1T[0], scores_1T[0], blank=BLANK)]


def timed_letters(
    log_probs_TV: Tensor, labels: Sequence[int], alphabet: Alphabet, seconds_per_frame: float, start: float = 0.0
) -> list[Timed]:
    """Every unit of the alphabet with its time in seconds, counted on from `start`."""
    found = timed_labels(log_probs_TV, labels)
    return [
        Timed(
            alphabet.texts[label],
            start + first * seconds_per_frame,
            start + behind * seconds_per_frame,
            min(1.0, math.exp(score)),
        )
        for label, (first, behind, score) in zip(labels, found, strict=True)
    ]


def timed_words(letters: Sequence[Timed]) -> list[Timed]:
    """Letters between spaces as words; a word's confidence is the geometric mean of its letters'.

    >>> timed_words([Timed("o", 0.1, 0.2, 0.9), Timed(" ", 0.2, 0.3, 1.0), Timed("n", 0.4, 0.5, 0.4)])[1]
    Timed(text='n', start=0.4, end=0.5, confidence=0.4)
    """
    words = []
    for spaces, group in groupby(letters, key=lambda letter: letter.text == " "):
        if not spaces:
            part = list(group)
            logs = [math.log(max(one.confidence, 1e-30)) for one in part]
            confidence = math.exp(sum(logs) / len(logs))
            words.append(Timed("".join(one.text for one in part), part[0].start, part[-1].end, confidence))
    return words
