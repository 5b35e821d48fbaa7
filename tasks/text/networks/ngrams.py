"""Words and pairs of neighbouring words as rows of one table, how often they occur, and what that says of a class.

Legend: B = sentences, T = tokens, C = classes, R = rows of the table: V words, then K pairs in the order of their
keys; N = sentences of a split, M = tokens of all of them. The key of a pair (a, b) is a V + b.
"""

import torch
from torch import Tensor, nn

from tasks.text.networks.embedding import PAD
from tasks.text.tokeniser import Encoded

NO_PAIR = torch.iinfo(torch.int64).max


def log_count_ratios(counts_RC: Tensor, smoothing: float = 1.0) -> Tensor:
    """r_c = log((p_c / |p_c|) / (q_c / |q_c|)), p_c = smoothing + counts of class c, q_c = smoothing + all others.

    Sums |.| go over the n-grams that occur; those that do not have ratio 0.

    >>> log_count_ratios(torch.tensor([[3.0, 1.0], [1.0, 3.0], [0.0, 0.0]])).exp().float().tolist()
    [[2.0, 0.5], [0.5, 2.0], [1.0, 1.0]]
    """
    counts_RC = counts_RC.double()
    seen_R1 = (counts_RC.sum(1, keepdim=True) > 0).double()
    here_RC = (smoothing + counts_RC) * seen_R1
    elsewhere_RC = (smoothing + counts_RC.sum(1, keepdim=True) - counts_RC) * seen_R1
    shares_RC = (part / part.sum(0) for part in (here_RC, elsewhere_RC))
    return torch.sub(*(torch.where(seen_R1 > 0, share_RC, 1).log() for share_RC in shares_RC))


def sentence_counts(
    encoded: Encoded, labels_N: Tensor, pair_keys: Tensor, vocabulary_size: int, shape: torch.Size
) -> Tensor:
    """How many sentences of each class hold an n-gram, float64 [R, C]."""
    number_M = torch.arange(len(encoded)).repeat_interleave(encoded.lengths_N)
    later_M, keys_M = flat_pair_keys(encoded, vocabulary_size)
    rows_M = row_of_keys(keys_M, pair_keys, vocabulary_size)
    rows = torch.cat([encoded.tokens_M, rows_M])
    numbers = torch.cat([number_M, number_M[later_M]])
    # An n-gram counts once a sentence.
    held = (numbers * shape[0] + rows)[rows != PAD].unique()
    cells = held % shape[0] * shape[1] + labels_N[held // shape[0]]
    return cells.bincount(minlength=shape.numel()).view(shape).double()


def commonest_pairs(encoded: Encoded, vocabulary_size: int, most: int) -> Tensor:
    """Keys of the `most` commonest pairs of neighbours, sorted, int64 [most]; NO_PAIR where there are fewer."""
    keys, counts = flat_pair_keys(encoded, vocabulary_size)[1].unique(return_counts=True)
    kept = keys[counts.argsort(descending=True, stable=True)[:most]].sort().values
    return torch.cat([kept, kept.new_full((most - len(kept),), NO_PAIR)])


def flat_pair_keys(encoded: Encoded, vocabulary_size: int) -> tuple[Tensor, Tensor]:
    """(places of tokens that have one before them in their sentence, key of that pair)."""
    later_M = torch.ones(len(encoded.tokens_M), dtype=torch.bool)
    later_M[encoded.starts[:-1]] = False
    places = later_M.nonzero()[:, 0]
    return places, encoded.tokens_M[places - 1] * vocabulary_size + encoded.tokens_M[places]


def pair_rows(tokens_BT: Tensor, pair_keys: Tensor, vocabulary_size: int) -> Tensor:
    """Row of the pair that ends at a token, PAD where there is none."""
    before_BT, after_BT = tokens_BT[:, :-1], tokens_BT[:, 1:]
    rows_BT = row_of_keys(before_BT * vocabulary_size + after_BT, pair_keys, vocabulary_size)
    return nn.functional.pad(rows_BT.masked_fill(after_BT == PAD, PAD), (1, 0), value=PAD)


def row_of_keys(keys: Tensor, pair_keys: Tensor, vocabulary_size: int) -> Tensor:
    """V + place of a key among the sorted `pair_keys`, PAD for a key that is not there."""
    if not len(pair_keys):
        return torch.full_like(keys, PAD)
    places = torch.searchsorted(pair_keys, keys).clamp(max=len(pair_keys) - 1)
    return torch.where(pair_keys[places] == keys, vocabulary_size + places, PAD)


def first_only(rows_BT: Tensor) -> Tensor:
    """Every row where it is first in its sentence, PAD where it comes again.

    >>> first_only(torch.tensor([[5, 7, 5, 5]])).tolist()
    [[5, 7, 0, 0]]
    """
    sorted_BT, order_BT = rows_BT.sort(dim=1, stable=True)
    again_BT = nn.functional.pad(sorted_BT[:, 1:] == sorted_BT[:, :-1], (1, 0), value=False)
    return rows_BT.masked_fill(torch.zeros_like(again_BT).scatter(1, order_BT, again_BT), PAD)
