"""Losses and figures of sentence classification, as plain functions.

Legend: B = sentences, C = classes, K = nets of a committee.
"""

from torch import Tensor
from torch.nn.functional import cross_entropy


def classification_loss(logits_BC: Tensor, labels_B: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy, in float32 whatever the logits are; of logits_BKC the mean over K nets too.

    >>> import torch
    >>> classification_loss(torch.zeros(1, 4), torch.tensor([2])).exp().round().item()
    4.0
    """
    if logits_BC.dim() == 3:
        labels_B = labels_B.repeat_interleave(logits_BC.shape[1])
    return cross_entropy(logits_BC.flatten(0, -2).float(), labels_B, label_smoothing=label_smoothing)


def correct(logits_BC: Tensor, labels_B: Tensor) -> Tensor:
    """1.0 where the highest logit is the label's, else 0.0, [B]."""
    return (logits_BC.argmax(1) == labels_B).float()
