"""What is minimised, and by what it is judged, as plain functions.

Legend: B = items, P = positions, V = vocabulary, D = size of a part, K = forms.
"""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy


def reconstruction_loss(logits_BPV: Tensor, target_BT: Tensor) -> Tensor:
    """Mean cross-entropy of the words of the target; [PAD] behind its end counts as a word, it tells the length."""
    return cross_entropy(logits_BPV[:, : target_BT.shape[1]].flatten(0, 1).float(), target_BT.flatten())


def nearer(anchor_BD: Tensor, one_BD: Tensor, other_BD: Tensor) -> Tensor:
    """1.0 where cos(anchor, one) > cos(anchor, other), else 0.0, [B].

    >>> nearer(torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 1.0]])).tolist()
    [1.0]
    """
    return (cosine_similarity(anchor_BD, one_BD) > cosine_similarity(anchor_BD, other_BD)).float()


def linear_accuracy(fitted: tuple[Tensor, Tensor], judged: tuple[Tensor, Tensor], ridge: float = 1e-3) -> float:
    """How often a linear reading names the label: ridge regression on one-hot labels, fitted on one set of vectors,
    judged on another.

    Args:
        fitted, judged: (vectors_ND, labels_N).
        ridge: relative to the mean square of the standardised vectors.
    """
    (x_ND, labels_N), (y_ND, wanted_N) = fitted, judged
    mean, deviation = x_ND.mean(0), x_ND.std(0).clamp(min=1e-12)
    x_ND, y_ND = (_with_one((part - mean).double() / deviation.double()) for part in (x_ND, y_ND))
    targets_NK = torch.nn.functional.one_hot(labels_N).double()
    gram = x_ND.t() @ x_ND / len(x_ND) + ridge * torch.eye(x_ND.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, x_ND.t() @ targets_NK / len(x_ND))
    return ((y_ND @ weights).argmax(1) == wanted_N).double().mean().item()


def _with_one(x_ND: Tensor) -> Tensor:
    return torch.cat([x_ND, torch.ones_like(x_ND[:, :1])], 1)
