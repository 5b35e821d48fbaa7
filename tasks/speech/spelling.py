"""How well a speller says transcripts.

Legend: B = utterances, U = labels of the longest transcript, V = labels, 0 the end.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

IGNORED = -100


def with_end(labels_BU: Tensor, lengths_B: Tensor) -> Tensor:
    """Transcripts with their end (0), and `IGNORED` behind it, [B, U + 1].

    >>> with_end(torch.tensor([[3, 1], [2, 9]]), torch.tensor([2, 1])).tolist()
    [[3, 1, 0], [2, 0, -100]]
    """
    places_U = torch.arange(labels_BU.shape[1] + 1, device=labels_BU.device)
    ended = pad(labels_BU, (0, 1)).masked_fill(places_U == lengths_B[:, None], 0)
    return ended.masked_fill(places_U > lengths_B[:, None], IGNORED)


def spelling_loss(logits_BUV: Tensor, labels_BU: Tensor, lengths_B: Tensor, smoothing: float = 0.0) -> Tensor:
    """Sum over labels and end of (1 - e) (-log p(label)) + e / V sum_v (-log p(v)), [B].

    With e = 0 it is -log p(transcript | sound); e is label smoothing, Szegedy et al. (2016).

    Args:
        logits_BUV: U + 1 places, each given the labels before.
        labels_BU: transcripts, anything behind their ends.
        lengths_B: labels of each transcript.
        smoothing: e.

    >>> loss = spelling_loss(torch.zeros(1, 3, 4), torch.tensor([[2, 1]]), torch.tensor([2]))
    >>> round(loss.exp().item(), 3)
    64.0
    """
    targets_BU = with_end(labels_BU, lengths_B)
    places = cross_entropy(
        logits_BUV.transpose(1, 2), targets_BU, ignore_index=IGNORED, label_smoothing=smoothing, reduction="none"
    )
    return places.sum(1)
