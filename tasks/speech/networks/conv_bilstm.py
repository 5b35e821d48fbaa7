"""Convolutions below, a recurrent layer above: what few recordings can train.

Legend: B = utterances, T = frames, D = features, H = hidden channels, V = labels with the blank.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from tasks.speech.networks.conv import Block, convolved
from tasks.speech.networks.flip_lstm import FlipLSTM


class ConvBiLSTM(nn.Module):
    """A strided convolution, residual separable ones, bidirectional LSTM layers, a linear layer on every frame.

    As in Deep Speech 2, Amodei et al. (2016), with the separable blocks of Kriman et al. (2020). Answers do not depend
    on their batch.

    Args:
        features: D.
        labels: V.
        channels: H.
        kernels: width of each block's convolutions.
        hidden_size: of each direction.
        layers: of the LSTM.
        stride: of the first convolution: frames become as many times fewer.
        dropout: in every block, between layers and before the output.
    """

    def __init__(
        self,
        features: int,
        labels: int,
        channels: int = 256,
        kernels: Sequence[int] = (7, 9),
        hidden_size: int = 256,
        layers: int = 1,
        stride: int = 3,
        dropout: float = 0.2,
    ):
        super().__init__()
        self.stride = stride
        self.first = nn.Conv1d(features, channels, 9, stride, padding=4, bias=False)
        self.norm = nn.BatchNorm1d(channels)
        self.blocks = nn.ModuleList(Block(channels, kernel, dropout) for kernel in kernels)
        self.lstm = FlipLSTM(channels, hidden_size, layers, dropout)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden_size, labels)

    def frames_out(self, frames_B: Tensor) -> Tensor:
        """Frames of the logits."""
        return -(-frames_B // self.stride)

    def forward(self, features_BTD: Tensor, frames_B: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of every kept frame, and how many each utterance has."""
        frames_B = self.frames_out(frames_B)
        hidden_BHT = convolved(self, features_BTD, frames_B)
        hidden_TBH = self.lstm(self.dropout(hidden_BHT).permute(2, 0, 1), frames_B)
        return self.output(self.dropout(hidden_TBH)).transpose(0, 1), frames_B
