"""What a layer does to the positions of a sentence alone, so that padding has no say.

Legend: B = sentences, F = maps, S = positions, valid_BS = positions that belong to the sentence (a prefix),
M = positions of all sentences together.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool1d


def on_present(layer: nn.Module, maps_BFS: Tensor, valid_BS: Tensor) -> Tensor:
    """`layer` applied to the rows [M, F] of all present positions; zero elsewhere.

    A norm so sees sentences only: torch.nn.BatchNorm1d takes its statistics over words, never over padding.

    >>> ones_123 = torch.ones(1, 2, 3)
    >>> on_present(nn.Identity(), ones_123, torch.tensor([[True, True, False]])).tolist()
    [[[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]]]
    """
    rows_MF = layer(maps_BFS.transpose(1, 2)[valid_BS])
    found_BSF = rows_MF.new_zeros(*valid_BS.shape, rows_MF.shape[1])
    found_BSF[valid_BS] = rows_MF
    return found_BSF.transpose(1, 2)


def halved(maps_BFS: Tensor, valid_BS: Tensor) -> tuple[Tensor, Tensor]:
    """Largest of every three neighbours at every second position, and which of those belong to the sentence.

    max_i x[2s + i], i = -1, 0, 1, over present positions. A sentence of n positions keeps ceil(n / 2).
    """
    low_BFS = maps_BFS.masked_fill(~valid_BS[:, None], -torch.inf)
    valid_BS = valid_BS[:, ::2]
    return max_pool1d(low_BFS, 3, 2, padding=1).masked_fill(~valid_BS[:, None], 0), valid_BS
