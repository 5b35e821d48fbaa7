"""A time-delay net.

Legend: B = utterances, T = frames, D = features, H = hidden channels, V = labels with the blank.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.errors import InputError

# Table 1 of the paper: the layers of its system of 13 frames to the left and 9 to the right.
CONTEXTS = ((-2, -1, 0, 1, 2), (-1, 2), (-3, 3), (-7, 2), (0,))


class TDNN(nn.Module):
    """Each layer reads the last one's frames at a few distances, the upper ones far apart. Peddinti et al. (2015).

    A layer is linear, ReLU, and every frame scaled to a root mean square of 1. Frames before the beginning and behind
    the end are zero, so that an answer does not depend on its batch.

    Args:
        features: D.
        labels: V.
        hidden_size: H.
        contexts: the distances of each layer.
        dropout: behind each layer.

    Raises:
        InputError: a layer without distances.
    """

    def __init__(
        self,
        features: int,
        labels: int,
        hidden_size: int = 128,
        contexts: Sequence[Sequence[int]] = CONTEXTS,
        dropout: float = 0.1,
    ):
        super().__init__()
        if not contexts or not all(contexts):
            raise InputError(f"net.contexts: expected distances for every layer, got {contexts}; mend the recipe")
        self.contexts = [tuple(context) for context in contexts]
        sizes = [features] + [hidden_size] * (len(contexts) - 1)
        self.layers = nn.ModuleList(
            nn.Linear(size * len(context), hidden_size) for size, context in zip(sizes, self.contexts, strict=True)
        )
        self.norm, self.dropout = nn.RMSNorm(hidden_size, elementwise_affine=False), nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, labels)

    def frames_out(self, frames_B: Tensor) -> Tensor:
        """Frames of the logits."""
        return frames_B

    def forward(self, features_BTD: Tensor, frames_B: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of every frame, and the frames."""
        outside_BT1 = (torch.arange(features_BTD.shape[1], device=frames_B.device) >= frames_B[:, None])[..., None]
        hidden_BTH = features_BTD.masked_fill(outside_BT1, 0)
        for layer, context in zip(self.layers, self.contexts, strict=True):
            hidden_BTH = self.dropout(self.norm(torch.relu(layer(spliced(hidden_BTH, context)))))
            hidden_BTH = hidden_BTH.masked_fill(outside_BT1, 0)
        return self.output(hidden_BTH), frames_B


def spliced(hidden_BTH: Tensor, context: Sequence[int]) -> Tensor:
    """Of each frame those at these distances side by side, zeros beyond both ends.

    >>> spliced(torch.tensor([[[1.0], [2.0], [3.0]]]), (-1, 0, 2)).tolist()
    [[[0.0, 1.0, 3.0], [1.0, 2.0, 0.0], [2.0, 3.0, 0.0]]]
    """
    before, behind = max(0, -min(context)), max(0, max(context))
    wide = nn.functional.pad(hidden_BTH, (0, 0, before, behind))
    frames = hidden_BTH.shape[1]
    return torch.cat([wide[:, before + at : before + at + frames] for at in context], -1)
