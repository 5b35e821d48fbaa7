"""Stratified folds that are the same for everybody.

Legend: N = sentences.
"""

import numpy as np
import torch
from torch import Tensor

from zoo.errors import InputError


def fold_turns(labels_N: Tensor, seed: int = 0) -> Tensor:
    """Turns [N], a permutation of 0..N-1; for any k, sentence n is in fold turns[n] % k of k.

    The turns go through the classes one after another, each shuffled: a class has as many sentences in every fold, to
    within one, and so has the whole.

    >>> fold_turns(torch.tensor([0, 1, 0, 1]))[[0, 2]].sort().values
    tensor([0, 1])
    """
    # RandomState's stream is frozen for good (NEP 19), that of newer generators and of torch is not.
    shuffled = np.random.RandomState(seed).permutation(len(labels_N))
    by_class = shuffled[np.argsort(labels_N.numpy()[shuffled], kind="stable")]
    turns = np.empty(len(labels_N), np.int64)
    turns[by_class] = np.arange(len(labels_N))
    return torch.from_numpy(turns)


def in_fold(turns_N: Tensor, fold: int, num_folds: int) -> Tensor:
    """Which sentences belong to the fold, bool [N].

    Raises:
        InputError: fewer than two folds, more than sentences, or no such fold.
    """
    if not 2 <= num_folds <= len(turns_N):
        raise InputError(f"data.num_folds: expected 2 to {len(turns_N)}, got {num_folds}; 10 is usual")
    if not 0 <= fold < num_folds:
        raise InputError(f"data.fold: expected 0..{num_folds - 1}, got {fold}; mend the command")
    return turns_N % num_folds == fold


def stratified_share(labels_N: Tensor, share: float, seed: int = 0) -> Tensor:
    """Which sentences are drawn, bool [N]: round(share N), evenly over the classes, each of which keeps one or more.

    >>> drawn = stratified_share(torch.tensor([0] * 10 + [1] * 20), 0.2)
    >>> int(drawn[:10].sum()), int(drawn[10:].sum())
    (2, 4)
    """
    order_N = fold_turns(labels_N, seed).argsort()
    ordered_N = labels_N[order_N]
    free = order_N[1:][ordered_N[1:] == ordered_N[:-1]]  # all but the first of a class
    count = min(round(share * len(labels_N)), len(free))
    drawn_N = torch.zeros(len(labels_N), dtype=torch.bool)
    drawn_N[free[(torch.arange(count) * 2 + 1) * len(free) // (2 * max(count, 1))]] = True
    return drawn_N
