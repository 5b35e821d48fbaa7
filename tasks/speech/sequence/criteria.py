"""The criteria of a recipe: which loss, and in which units errors are counted.

Legend: T = frames, B = utterances, V = labels with the blank.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.speech.alphabet import Alphabet
from tasks.speech.error_rates import edit_distance
from tasks.speech.losses import BLANK
from tasks.speech.sequence.answers import errors_of, shares
from tasks.speech.sequence.losses import mmi, smbr
from tasks.speech.sequence.rivals import Contest
from zoo.errors import InputError


@dataclass(frozen=True)
class Criterion(ABC):
    """A loss of each utterance, to be made small, given its transcript and what it is weighed against.

    Args:
        scale: acoustic scale, the power that the probabilities of frames are raised to.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise InputError(f"model.criterion.scale: expected more than 0, got {self.scale}; 1 is usual")

    @property
    def name(self) -> str:
        """Of the loss term."""
        return type(self).__name__.lower()

    @abstractmethod
    def losses(self, log_probs_TBV: Tensor, frames_B: Tensor, contest: Contest, alphabet: Alphabet) -> Tensor:
        """[B]."""


class MMI(Criterion):
    """-log of the transcript's share of all rivals, by label: maximum mutual information. Bahl et al. (1986)."""

    def losses(self, log_probs_TBV: Tensor, frames_B: Tensor, contest: Contest, alphabet: Alphabet) -> Tensor:
        """See `Criterion`."""
        labels_B = log_probs_TBV.new_tensor([max(len(one.labels), 1) for one in contest.spoken])
        return mmi(log_probs_TBV, frames_B, contest.transcripts, contest.rivals, self.scale) / labels_B


class SMBR(Criterion):
    """Expected share of wrong frames, the right ones being those of the best alignment. Gibson and Hain (2006)."""

    def losses(self, log_probs_TBV: Tensor, frames_B: Tensor, contest: Contest, alphabet: Alphabet) -> Tensor:
        """See `Criterion`."""
        aligned_TB = aligned(log_probs_TBV, frames_B, [one.labels for one in contest.spoken])
        return smbr(log_probs_TBV, frames_B, aligned_TB, contest.rivals, self.scale)


class MPE(Criterion):
    """Expected errors in labels (phonemes, characters), by label spoken: minimum phone error. Povey (2005)."""

    def losses(self, log_probs_TBV: Tensor, frames_B: Tensor, contest: Contest, alphabet: Alphabet) -> Tensor:
        """See `Criterion`."""
        return expected(log_probs_TBV, frames_B, contest, self.scale, list)


class MWER(Criterion):
    """Expected errors in words, by word spoken: minimum word error rate. Prabhavalkar et al. (2018)."""

    def losses(self, log_probs_TBV: Tensor, frames_B: Tensor, contest: Contest, alphabet: Alphabet) -> Tensor:
        """See `Criterion`."""
        return expected(log_probs_TBV, frames_B, contest, self.scale, lambda labels: alphabet.decode(labels).split())


def expected(
    log_probs_TBV: Tensor, frames_B: Tensor, contest: Contest, scale: float, units_of: Callable[[list[int]], list]
) -> Tensor:
    """Mean over answers, by their posterior, of the edit distance to the transcript by unit spoken, [B]."""

    def rate(spoken: list[int], heard: list[int]) -> float:
        units = units_of(spoken)
        return edit_distance(units, units_of(heard)) / max(len(units), 1)

    shares_BN = shares(log_probs_TBV, frames_B, contest.answers, scale)
    return (shares_BN * errors_of(contest.answers, rate, log_probs_TBV)).sum(-1)


def aligned(log_probs_TBV: Tensor, frames_B: Tensor, transcripts: list[list[int]]) -> Tensor:
    """Label of each frame in the best alignment of each transcript, [T, B]; blanks behind the end of an utterance."""
    from torchaudio.functional import forced_align

    aligned_TB = torch.full(log_probs_TBV.shape[:2], BLANK)
    for b, labels in enumerate(transcripts):
        frames = int(frames_B[b])
        if labels:  # torchaudio refuses an empty transcript, which is blanks alone
            rows_1TV = log_probs_TBV[:frames, b].detach().float().cpu()[None].contiguous()
            aligned_TB[:frames, b] = forced_align(rows_1TV, torch.tensor([labels]), blank=BLANK)[0][0].long()
    return aligned_TB.to(log_probs_TBV.device)
