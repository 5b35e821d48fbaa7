"""Bidirectional LSTM over sequences of different lengths, without packing.

Legend: T = frames of the longest sequence, B = sequences, D = features.
"""

import torch
from torch import Tensor, nn


class FlipLSTM(nn.Module):
    """What a packed bidirectional LSTM computes, to rounding: two one-directional ones a layer, the second over each
    sequence turned round within its own length. On a CPU five to six times as fast as packing (pytorch #149194).

    Args:
        input_size: D.
        hidden_size: of each direction.
        layers: how many.
        dropout: between layers.

    >>> net = FlipLSTM(3, 4)
    >>> net(torch.zeros(5, 2, 3), torch.tensor([5, 2])).shape
    torch.Size([5, 2, 8])
    """

    def __init__(self, input_size: int, hidden_size: int, layers: int = 1, dropout: float = 0.0):
        super().__init__()
        sizes = [input_size] + [2 * hidden_size] * (layers - 1)
        self.forwards = nn.ModuleList(nn.LSTM(size, hidden_size) for size in sizes)
        self.backwards = nn.ModuleList(nn.LSTM(size, hidden_size) for size in sizes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features_TBD: Tensor, lengths_B: Tensor) -> Tensor:
        """[T, B, 2 hidden]; zeros behind the end of a sequence."""
        places_T1 = torch.arange(len(features_TBD), device=features_TBD.device)[:, None]
        inside_TB1 = (places_T1 < lengths_B)[..., None]
        turned_TB1 = torch.where(inside_TB1[..., 0], lengths_B - 1 - places_T1, places_T1)[..., None]
        out = features_TBD
        for number, (ahead, back) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            if number:
                out = self.dropout(out)
            reverse = turn(back(turn(out, turned_TB1))[0], turned_TB1)
            out = torch.cat([ahead(out)[0], reverse], -1).masked_fill(~inside_TB1, 0)
        return out


def turn(values_TBD: Tensor, turned_TB1: Tensor) -> Tensor:
    """Every sequence turned round within its length; what lies behind stays."""
    return values_TBD.gather(0, turned_TB1.expand(-1, -1, values_TBD.shape[2]))
