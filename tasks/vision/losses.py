"""Losses and figures of image classification, as plain functions.

Legend: N = images, C = classes.
"""

from torch import Tensor
from torch.nn.functional import cross_entropy


def classification_loss(logits_NC: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy, in float32 whatever the logits are; labels are classes [N] or probabilities [N, C].

    >>> import torch
    >>> classification_loss(torch.zeros(1, 4), torch.tensor([2])).exp().round().item()
    4.0
    """
    return cross_entropy(logits_NC.float(), labels, label_smoothing=label_smoothing)


def softmax_kl(before_NC: Tensor, after_NC: Tensor) -> Tensor:
    """Mean over images of KL(p || q), p and q the classes' probabilities by logits before and after, in float32.

    >>> import torch
    >>> round(softmax_kl(torch.zeros(1, 2), torch.tensor([[1.0, 4.0]]).log()).item(), 4)  # 1/2, 1/2 -> 1/5, 4/5
    0.2231
    """
    before_NC, after_NC = before_NC.float().log_softmax(1), after_NC.float().log_softmax(1)
    return (before_NC.exp() * (before_NC - after_NC)).sum(1).mean()


def correct(logits_NC: Tensor, labels_N: Tensor) -> Tensor:
    """1.0 where the highest logit is the label's, else 0.0, [N]."""
    return (logits_NC.argmax(1) == labels_N).float()
