"""A small convolutional recogniser whose frames become rarer from stage to stage.

Legend: B = utterances, T = frames, D = features, H = hidden channels, V = labels with the blank.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class StridedConv(nn.Module):
    """Stages of a strided convolution and a residual one; each halves the frames.

    For labels that last, such as whole words: with three stages and frames of 10 ms there is one answer in 80 ms.
    What lies behind the end of an utterance is kept at zero, so that an answer does not depend on its batch.

    Args:
        features: D.
        labels: V.
        channels: H of each stage.
        kernel: width of every convolution.
        dropout: behind every convolution.
    """

    def __init__(
        self,
        features: int,
        labels: int,
        channels: Sequence[int] = (64, 128, 192),
        kernel: int = 5,
        dropout: float = 0.2,
    ):
        super().__init__()
        sizes = [features, *channels]
        self.stages = nn.ModuleList(
            _Stage(before, size, kernel, dropout) for before, size in zip(sizes, channels, strict=False)
        )
        self.output = nn.Conv1d(sizes[-1], labels, 1)

    def frames_out(self, frames_B: Tensor) -> Tensor:
        """Frames of the logits."""
        return -(-frames_B // 2 ** len(self.stages))

    def forward(self, features_BTD: Tensor, frames_B: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of every kept frame, and how many each utterance has."""
        hidden_BHT = features_BTD.transpose(1, 2)
        for stage in self.stages:
            frames_B = -(-frames_B // 2)
            hidden_BHT = stage(hidden_BHT, frames_B)
        return self.output(hidden_BHT).transpose(1, 2), frames_B


class _Stage(nn.Module):
    def __init__(self, before: int, channels: int, kernel: int, dropout: float):
        super().__init__()
        self.strided = nn.Conv1d(before, channels, kernel, 2, kernel // 2, bias=False)
        self.residual = nn.Conv1d(channels, channels, kernel, 1, kernel // 2, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden_BHT: Tensor, frames_B: Tensor) -> Tensor:
        new = self.strided(hidden_BHT)
        inside_B1T = (torch.arange(new.shape[2], device=new.device) < frames_B[:, None])[:, None]
        new = self.dropout(torch.relu(self.norms[0](new))) * inside_B1T
        return (new + self.dropout(torch.relu(self.norms[1](self.residual(new))))) * inside_B1T
