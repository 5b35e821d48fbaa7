"""Losses and figures of image classification, as plain functions.

Legend: N = images, C = classes.
"""

from torch import Tensor
from torch.nn.functional import cross_entropy


def classification_loss(logits_NC: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy, in float32 whatever the logits are; labels are classes [N] or probabilities [N, C].

    >>> classification_loss(torch.zeros(1, 4), torch.tensor([2])).exp().round().item()
    4.0
    """
    return cross_entropy(logits_NC.float(), labels, label_smoothing=label_smoothing)


def correct(logits_NC: Tensor, labels_N: Tensor) -> Tensor:
    """1.0 where the highest logit is the label's, else 0.0, [N]."""
    return (logits_NC.argmax(1) == labels_N).float()
