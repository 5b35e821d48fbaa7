"""The listener of Listen, Attend and Spell.

Legend: B = utterances, T = frames, D = features, H = channels of the memory.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from tasks.speech.networks.flip_lstm import FlipLSTM


class Listener(nn.Module):
    """A bidirectional LSTM, and a pyramid of them that each read two neighbouring outputs of the last as one.

    Chan et al. (2016), equation 5: h_i = BLSTM(h_{i-1}, [h'_{2i}, h'_{2i+1}]), where h' are the layer below's.

    Args:
        features: D.
        hidden_size: of each direction; the memory has H = 2 hidden_size.
        pyramid: layers above the first; each halves the frames.
        dropout: between layers.

    >>> Listener(40, 8, pyramid=2).frames_out(torch.tensor([8, 5, 1]))
    tensor([2, 2, 1])
    """

    def __init__(self, features: int, hidden_size: int = 128, pyramid: int = 3, dropout: float = 0.0):
        super().__init__()
        self.first = FlipLSTM(features, hidden_size)
        self.pyramid = nn.ModuleList(FlipLSTM(4 * hidden_size, hidden_size) for _ in range(pyramid))
        self.dropout = nn.Dropout(dropout)

    def frames_out(self, frames_B: Tensor) -> Tensor:
        """Frames of the memory."""
        return -(-frames_B // 2 ** len(self.pyramid))

    def forward(self, features_BTD: Tensor, frames_B: Tensor) -> tuple[Tensor, Tensor]:
        """Memory [B, T / 2^pyramid, H], zero behind the end, and its frames."""
        hidden_TBH = self.first(features_BTD.transpose(0, 1), frames_B)
        for layer in self.pyramid:
            frames_B = -(-frames_B // 2)
            hidden_TBH = layer(_paired(self.dropout(hidden_TBH)), frames_B)
        return self.dropout(hidden_TBH).transpose(0, 1), frames_B


def _paired(hidden_TBH: Tensor) -> Tensor:
    """Each two neighbours as one, [ceil(T / 2), B, 2H]; an odd one out is joined with zeros."""
    even = pad(hidden_TBH, (0, 0, 0, 0, 0, len(hidden_TBH) % 2))
    return torch.cat([even[0::2], even[1::2]], -1)
