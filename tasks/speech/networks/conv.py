"""A convolutional recogniser.

Legend: B = utterances, T = frames, D = features, H = hidden channels, V = labels with the blank.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Conv(nn.Module):
    """Residual blocks of depthwise-separable convolutions in time, after a strided one.

    QuartzNet, Kriman et al. (2020).

    What lies behind the end of an utterance is kept at zero, so that an answer does not depend on its batch.

    Args:
        features: D.
        labels: V.
        channels: H.
        kernels: width of each block's convolutions.
        stride: of the first convolution: frames become as many times fewer.
        dropout: in every block.
    """

    def __init__(
        self,
        features: int,
        labels: int,
        channels: int = 128,
        kernels: Sequence[int] = (11, 13, 15, 17),
        stride: int = 2,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.stride = stride
        self.first = nn.Conv1d(features, channels, 9, stride, padding=4, bias=False)
        self.norm = nn.BatchNorm1d(channels)
        self.blocks = nn.ModuleList(Block(channels, kernel, dropout) for kernel in kernels)
        self.output = nn.Conv1d(channels, labels, 1)

    def frames_out(self, frames_B: Tensor) -> Tensor:
        """Frames of the logits."""
        return -(-frames_B // self.stride)

    def forward(self, features_BTD: Tensor, frames_B: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of every kept frame, and how many each utterance has."""
        frames_B = self.frames_out(frames_B)
        hidden_BHT = convolved(self, features_BTD, frames_B)
        return self.output(hidden_BHT).transpose(1, 2), frames_B


class Block(nn.Module):
    def __init__(self, channels: int, kernel: int, dropout: float):
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)
        self.pointwise = nn.Conv1d(channels, channels, 1, bias=False)
        self.norm, self.dropout = nn.BatchNorm1d(channels), nn.Dropout(dropout)

    def forward(self, hidden_BHT: Tensor, inside_B1T: Tensor) -> Tensor:
        new = torch.relu(self.norm(self.pointwise(self.depthwise(hidden_BHT))))
        return (hidden_BHT + self.dropout(new)) * inside_B1T


def convolved(net: nn.Module, features_BTD: Tensor, frames_B: Tensor) -> Tensor:
    """[B, H, T] behind the first convolution, norm and blocks of a net (`first`, `norm`, `blocks`), zero behind the
    `frames_B` that it keeps of each utterance."""
    hidden_BHT = net.first(features_BTD.transpose(1, 2))
    inside_B1T = (torch.arange(hidden_BHT.shape[2], device=frames_B.device) < frames_B[:, None])[:, None]
    hidden_BHT = torch.relu(net.norm(hidden_BHT)) * inside_B1T
    for block in net.blocks:
        hidden_BHT = block(hidden_BHT, inside_B1T)
    return hidden_BHT
