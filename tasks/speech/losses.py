"""Connectionist temporal classification. Graves et al. (2006).

Legend: T = frames, B = utterances, V = labels with the blank, U = labels of the longest transcript.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import ctc_loss as torch_ctc_loss

from zoo.errors import InputError

BLANK = 0


def frames_needed(labels: Sequence[int]) -> int:
    """Fewest frames that can carry a transcript: one a label, and a blank between equal neighbours.

    >>> frames_needed([3, 3, 5])
    4
    """
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def too_short(frames_B: Tensor, labels_BU: Tensor, lengths_B: Tensor) -> Tensor:
    """True for utterances with fewer frames than their transcript needs, whose CTC loss would be infinite, [B]."""
    inside = torch.arange(labels_BU.shape[1], device=labels_BU.device) < lengths_B[:, None]
    equal = (labels_BU[:, 1:] == labels_BU[:, :-1]) & inside[:, 1:]
    return frames_B < lengths_B + equal.sum(1)


def check_feasible(frames_B: Tensor, labels_BU: Tensor, lengths_B: Tensor, names: Sequence[str]) -> None:
    """Refuse utterances that no alignment can explain, by name; `zero_infinity` would hide them.

    Raises:
        InputError: naming the first and telling how many there are.
    """
    bad = too_short(frames_B, labels_BU, lengths_B).nonzero()[:, 0].tolist()
    if bad:
        first, length = bad[0], int(lengths_B[bad[0]])
        raise InputError(
            f"{names[first]}: expected {frames_needed(labels_BU[first, :length].tolist())} frames or more for its "
            f"{length} labels, got {int(frames_B[first])} ({len(bad)} such utterances); take less frame stacking, or "
            "leave them out with data.skip_too_short"
        )


def ctc_loss(log_probs_TBV: Tensor, labels_BU: Tensor, frames_B: Tensor, lengths_B: Tensor) -> Tensor:
    """-log p(labels | frames) of every utterance, [B]; label 0 is the blank.

    Args:
        log_probs_TBV: log-probabilities of each frame.
        labels_BU: transcripts, anything behind their ends.
        frames_B: frames of each utterance.
        lengths_B: labels of each transcript.

    >>> uniform = torch.full((2, 1, 3), -torch.tensor(3.0).log().item())
    >>> round(ctc_loss(uniform, torch.tensor([[1]]), torch.tensor([2]), torch.tensor([1])).exp().item(), 4)
    3.0
    """
    return torch_ctc_loss(log_probs_TBV, labels_BU, frames_B, lengths_B, blank=BLANK, reduction="none")


def frame_gradients(log_probs_TBV: Tensor, labels_BU: Tensor, frames_B: Tensor, lengths_B: Tensor) -> Tensor:
    """d loss / d logits of every frame and label, [T, B, V]: p(label) less its posterior given the transcript.

    Graves et al. (2006), equation 16; negative where the transcript asks for more of a label.
    """
    logits = log_probs_TBV.detach().clone().requires_grad_()
    with torch.enable_grad():
        loss_B = ctc_loss(logits.log_softmax(-1), labels_BU, frames_B, lengths_B)
        return torch.autograd.grad(loss_B.sum(), logits)[0]
