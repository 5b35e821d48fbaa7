"""Losses and figures of sentence classification, as plain functions.

Legend: B = sentences, C = classes, K = nets of a committee.
"""

from typing import Literal

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

Criterion = Literal["cross_entropy", "one_vs_rest", "squared_hinge"]


def one_vs_rest_loss(scores_BC: Tensor, labels_B: Tensor) -> Tensor:
    """sum_c log(1 + exp(-y_c s_c)), y_c = 1 for the label and -1 elsewhere, [B]: a logistic unit a class, Chen (2015).

    >>> import torch
    >>> one_vs_rest_loss(torch.zeros(1, 4), torch.tensor([2])).div(4).exp().tolist()
    [2.0]
    """
    scores_BC = scores_BC.float()
    wanted_BC = one_hot(labels_B, scores_BC.shape[1]).to(scores_BC.dtype)
    return binary_cross_entropy_with_logits(scores_BC, wanted_BC, reduction="none").sum(1)


def squared_hinge_loss(scores_BC: Tensor, labels_B: Tensor) -> Tensor:
    """sum_c max(0, 1 - y_c s_c)^2, [B]: a support vector machine a class; Tang (2013), and NBSVM's own loss.

    >>> import torch
    >>> squared_hinge_loss(torch.tensor([[2.0, 0.5]]), torch.tensor([0])).tolist()
    [2.25]
    """
    scores_BC = scores_BC.float()
    signs_BC = 2 * one_hot(labels_B, scores_BC.shape[1]) - 1
    return (1 - signs_BC * scores_BC).clamp(min=0).square().sum(1)


def classification_losses(
    scores_BC: Tensor, labels_B: Tensor, criterion: Criterion = "cross_entropy", label_smoothing: float = 0.0
) -> Tensor:
    """The criterion of every sentence, [B], in float32 whatever the scores are; smoothing is for cross-entropy.

    Of scores [B, K, C] it is the criterion of every net for every sentence, [B K].

    >>> import torch
    >>> classification_losses(torch.zeros(1, 4), torch.tensor([2])).exp().round().tolist()
    [4.0]
    """
    if scores_BC.dim() == 3:
        labels_B = labels_B.repeat_interleave(scores_BC.shape[1])
        scores_BC = scores_BC.flatten(0, 1)
    if criterion == "cross_entropy":
        return cross_entropy(scores_BC.float(), labels_B, reduction="none", label_smoothing=label_smoothing)
    one_class_each = {"one_vs_rest": one_vs_rest_loss, "squared_hinge": squared_hinge_loss}
    return one_class_each[criterion](scores_BC, labels_B)


def correct(logits_BC: Tensor, labels_B: Tensor) -> Tensor:
    """1.0 where the highest logit is the label's, else 0.0, [B]."""
    return (logits_BC.argmax(1) == labels_B).float()
