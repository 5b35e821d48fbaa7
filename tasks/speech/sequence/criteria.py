"""The criteria of a recipe: which loss, and in which units errors are counted.

Legend: T = frames, B = utterances, V = labels with the blank, U = labels of the longest transcript.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.speech.alphabet import Alphabet
from tasks.speech.error_rates import edit_distance
from tasks.speech.losses import BLANK
from tasks.speech.sequence.losses import expected_errors, mmi, smbr
from tasks.speech.sequence.rivals import Contest, Errors
from zoo.errors import InputError


@dataclass(frozen=True)
class Criterion(ABC):
    """A loss of each utterance, to be made small, given its transcript's and its rivals' paths.

    Args:
        scale: acoustic scale, the power that the probabilities of frames are raised to.
    """

    scale: float = 1.0
    name = "sequence"

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise InputError(f"model.criterion.scale: expected more than 0, got {self.scale}; 1 is usual")

    def errors(self, alphabet: Alphabet) -> Errors | None:
        """How errors of a rival are counted; None where paths and not answers are judged."""
        return None

    @abstractmethod
    def losses(self, log_probs_TBV: Tensor, frames_B: Tensor, spoken: list[list[int]], contest: Contest) -> Tensor:
        """[B]."""


@dataclass(frozen=True)
class MMI(Criterion):
    """-log of the transcript's share of the rivals, by label. Bahl et al. (1986)."""

    name = "mmi"

    def losses(self, log_probs_TBV: Tensor, frames_B: Tensor, spoken: list[list[int]], contest: Contest) -> Tensor:
        """See `Criterion`."""
        return mmi(log_probs_TBV, frames_B, *contest, self.scale) / counts(spoken, log_probs_TBV)


@dataclass(frozen=True)
class SMBR(Criterion):
    """Expected share of wrong frames, the right ones being those of the best alignment. Gibson and Hain (2006)."""

    name = "smbr"

    def losses(self, log_probs_TBV: Tensor, frames_B: Tensor, spoken: list[list[int]], contest: Contest) -> Tensor:
        """See `Criterion`."""
        aligned_TB = aligned(log_probs_TBV, frames_B, spoken)
        return smbr(log_probs_TBV, frames_B, aligned_TB, contest.rivals, self.scale)


@dataclass(frozen=True)
class MPE(Criterion):
    """Expected errors in labels (phonemes, characters), by label spoken. Povey (2005)."""

    name = "mpe"

    def errors(self, alphabet: Alphabet) -> Errors:
        """Edit distance of the labels."""
        return lambda spoken, heard: float(edit_distance(spoken, heard))

    def losses(self, log_probs_TBV: Tensor, frames_B: Tensor, spoken: list[list[int]], contest: Contest) -> Tensor:
        """See `Criterion`."""
        return expected_errors(log_probs_TBV, frames_B, contest.rivals, self.scale) / counts(spoken, log_probs_TBV)


@dataclass(frozen=True)
class MWER(Criterion):
    """Expected errors in words, by word spoken. Prabhavalkar et al. (2018)."""

    name = "mwer"

    def errors(self, alphabet: Alphabet) -> Errors:
        """Edit distance of the words, over how many were spoken."""

        def rate(spoken: Sequence[int], heard: Sequence[int]) -> float:
            words = alphabet.decode(spoken).split()
            return edit_distance(words, alphabet.decode(heard).split()) / max(len(words), 1)

        return rate

    def losses(self, log_probs_TBV: Tensor, frames_B: Tensor, spoken: list[list[int]], contest: Contest) -> Tensor:
        """See `Criterion`."""
        return expected_errors(log_probs_TBV, frames_B, contest.rivals, self.scale)


def counts(spoken: list[list[int]], like: Tensor) -> Tensor:
    """Labels of each transcript, 1 or more, [B]."""
    return like.new_tensor([max(len(labels), 1) for labels in spoken])


def aligned(log_probs_TBV: Tensor, frames_B: Tensor, spoken: list[list[int]]) -> Tensor:
    """Label of each frame in the best alignment of each transcript, [T, B]; blanks behind the end of an utterance."""
    from torchaudio.functional import forced_align

    aligned_TB = torch.full(log_probs_TBV.shape[:2], BLANK)
    for b, labels in enumerate(spoken):
        frames = int(frames_B[b])
        if labels:  # torchaudio refuses an empty transcript, which is blanks alone
            rows = log_probs_TBV[:frames, b].detach().float().cpu()[None].contiguous()
            aligned_TB[:frames, b] = forced_align(rows, torch.tensor([labels]), blank=BLANK)[0][0].long()
    return aligned_TB.to(log_probs_TBV.device)
