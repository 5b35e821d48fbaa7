"""Graves' recogniser.

Legend: B = utterances, T = frames, D = features, H = hidden channels, V = labels with the blank.
"""

from torch import Tensor, nn

from tasks.speech.networks.flip_lstm import FlipLSTM


class BiLSTM(nn.Module):
    """Bidirectional LSTM layers and a linear layer on every frame. Graves et al. (2006).

    Args:
        features: D.
        labels: V.
        hidden_size: of each direction.
        layers: how many.
        dropout: between layers and before the output.
    """

    def __init__(self, features: int, labels: int, hidden_size: int = 100, layers: int = 1, dropout: float = 0.0):
        super().__init__()
        self.lstm = FlipLSTM(features, hidden_size, layers, dropout)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden_size, labels)

    def frames_out(self, frames_B: Tensor) -> Tensor:
        """Frames of the logits."""
        return frames_B

    def forward(self, features_BTD: Tensor, frames_B: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of every frame, and the frames."""
        hidden_TBH = self.lstm(features_BTD.transpose(0, 1), frames_B)
        return self.output(self.dropout(hidden_TBH)).transpose(0, 1), frames_B
