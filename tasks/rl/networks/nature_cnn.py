"""The convolutional trunk of "Human-level control through deep reinforcement learning" (Mnih et al. 2015)."""

import torch
from torch import Tensor, nn

from zoo.errors import InputError


class NatureCNN(nn.Module):
    """uint8 frames [N, C, H, W] -> features [N, F]: 32 8x8/4, 64 4x4/2, 64 3x3/1, a linear layer, ReLU after each.

    Raises:
        InputError: frames below 36 x 36, or ones whose channels do not come first.
    """

    def __init__(self, shape: tuple[int, ...], features: int = 512):
        super().__init__()
        if len(shape) != 3 or min(shape[1:]) < 36:
            raise InputError(
                f"model.net: expected frames [C, H, W] of 36 x 36 or more, got {list(shape)}; "
                "take ActorCritic for flat ones, set model.environment.preprocessing to atari, or move the channels "
                "to the front by a wrapper"
            )
        self.convolutions = nn.Sequential(
            nn.Conv2d(shape[0], 32, 8, 4),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, 2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, 1),
            nn.ReLU(),
            nn.Flatten(),
        )
        with torch.no_grad():
            size = self.convolutions(torch.zeros(1, *shape)).shape[1]
        self.last = nn.Sequential(nn.Linear(size, features), nn.ReLU())

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        """Features."""
        return self.last(self.convolutions(frames_NCHW.to(self.last[0].weight.dtype) / 255))
