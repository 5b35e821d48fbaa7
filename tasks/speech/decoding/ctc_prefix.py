"""What CTC says of the beginning of a transcript, for searches that grow it label by label. Watanabe et al. (2017).

Legend: W = prefixes, T = frames, V = labels with the blank (0), Z = T + 1 times, before the first frame and after each.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tasks.speech.losses import BLANK


class Prefixes(NamedTuple):
    """log p that the first frames spell exactly the prefix, the last of them being its last label, or a blank."""

    label_WZ: Tensor
    blank_WZ: Tensor
    last_W: Tensor


def empty_prefix(log_probs_TV: Tensor) -> Prefixes:
    """The prefix without labels: nothing but blanks."""
    blank_Z = _summed(log_probs_TV[:, BLANK])
    return Prefixes(
        torch.full_like(blank_Z, -torch.inf)[None], blank_Z[None], torch.tensor([BLANK], device=blank_Z.device)
    )


def continuations(log_probs_TV: Tensor, prefixes: Prefixes) -> Tensor:
    """log p of the prefix and, after it, each label and whatever follows; at 0 that it is the whole transcript, [W, V].

    >>> half = torch.full((2, 2), 0.5).log()
    >>> continuations(half, empty_prefix(half)).exp().tolist()
    [[0.25, 0.75]]
    """
    scores_WV = (_before(prefixes, log_probs_TV.shape[1])[..., :-1] + log_probs_TV.t()).logsumexp(-1)
    scores_WV[:, BLANK] = torch.logaddexp(prefixes.label_WZ[:, -1], prefixes.blank_WZ[:, -1])
    return scores_WV


def grown(log_probs_TV: Tensor, prefixes: Prefixes, rows_W: Tensor, labels_W: Tensor) -> Prefixes:
    """Those prefixes (by row), each with its label appended.

    label_t = (label_{t-1} + before_{t-1}) p_t(label) is linear in what was before, so all times come from one
    cumulative sum: label_t = P_t sum_{s <= t} before_{s-1} / P_{s-1}, P_t the product of p up to t; blank_t likewise.
    """
    before_WZ = _before(prefixes, log_probs_TV.shape[1])[rows_W, labels_W]
    label_WZ = _carried(before_WZ, _summed(log_probs_TV[:, labels_W].t()))
    return Prefixes(label_WZ, _carried(label_WZ, _summed(log_probs_TV[:, BLANK])), labels_W)


def _before(prefixes: Prefixes, labels: int) -> Tensor:
    """[W, V, Z]: log p of the prefix by this time, in a state from which the label may begin: after itself a blank."""
    either_WZ = torch.logaddexp(prefixes.label_WZ, prefixes.blank_WZ)
    repeats_WV = prefixes.last_W[:, None] == torch.arange(labels, device=prefixes.last_W.device)
    return torch.where(repeats_WV[..., None], prefixes.blank_WZ[:, None], either_WZ[:, None])


def _summed(log_probs_T: Tensor) -> Tensor:
    """Sums up to each time, the first 0."""
    return torch.nn.functional.pad(log_probs_T.cumsum(-1), (1, 0))


def _carried(entering_WZ: Tensor, summed_WZ: Tensor) -> Tensor:
    stayed_WT = (entering_WZ - summed_WZ)[..., :-1].logcumsumexp(-1) + summed_WZ[..., 1:]
    return torch.nn.functional.pad(stayed_WT, (1, 0), value=-torch.inf)
