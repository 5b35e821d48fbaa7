"""A recogniser that can follow speech as it comes: time delays that look back only.

Legend: B = utterances, T = frames, D = features, H = hidden channels, V = labels with the blank.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

Past = list[Tensor]  # of every layer the last frames that it has seen, [B, reach, H]


class Causal(nn.Module):
    """Residual layers of dilated convolutions over the frames so far. TDNN, Peddinti et al. (2015).

    Features are normalised over the corpus in the first layer, so that none of an utterance need be known in advance
    (`data.features.normalise: false`). A logit is given `lookahead` frames after its frame.

    Args:
        features: D.
        labels: V.
        channels: H.
        dilations: frames between the three inputs of each layer.
        lookahead: frames behind its own that a logit knows.
        dropout: in every layer.
    """

    def __init__(
        self,
        features: int,
        labels: int,
        channels: int = 160,
        dilations: Sequence[int] = (1, 2, 4, 1, 2, 4),
        lookahead: int = 10,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.lookahead = lookahead
        self.scale = nn.BatchNorm1d(features, affine=False)
        self.first = nn.Linear(features, channels)
        self.layers = nn.ModuleList(_Layer(channels, dilation, dropout) for dilation in dilations)
        self.output = nn.Linear(channels, labels)

    def frames_out(self, frames_B: Tensor) -> Tensor:
        """Frames of the logits."""
        return frames_B

    def forward(self, features_BTD: Tensor, frames_B: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of every frame, and the frames."""
        inside_BT = torch.arange(features_BTD.shape[1], device=frames_B.device) < frames_B[:, None]
        scaled_ND = self.scale(features_BTD[inside_BT])
        scaled_BTD = torch.zeros_like(features_BTD).masked_scatter(inside_BT[..., None], scaled_ND)
        scaled_BTD = pad(scaled_BTD, (0, 0, 0, self.lookahead))
        logits_BTV, _ = self.advance(scaled_BTD, self.start(len(features_BTD)))
        return logits_BTV[:, self.lookahead :], frames_B

    def start(self, batch: int = 1) -> Past:
        """The past before the first frame: zeros."""
        return [layer.start(batch) for layer in self.layers]

    def advance(self, scaled_BTD: Tensor, past: Past) -> tuple[Tensor, Past]:
        """Logits of the next frames, given what came before, and the past that comes before the next ones."""
        hidden_BTH, after = self.first(scaled_BTD), []
        for layer, before_BRH in zip(self.layers, past, strict=True):
            whole_BTH = torch.cat([before_BRH, hidden_BTH], 1)
            after.append(whole_BTH[:, -layer.reach :])
            hidden_BTH = hidden_BTH + layer(whole_BTH)
        return self.output(hidden_BTH), after


class _Layer(nn.Module):
    def __init__(self, channels: int, dilation: int, dropout: float):
        super().__init__()
        self.dilation, self.reach = dilation, 2 * dilation
        self.delays = nn.Linear(3 * channels, channels, bias=False)
        self.norm, self.dropout = nn.BatchNorm1d(channels), nn.Dropout(dropout)

    def start(self, batch: int) -> Tensor:
        weight = self.delays.weight
        return weight.new_zeros(batch, self.reach, len(weight))

    def forward(self, whole_BTH: Tensor) -> Tensor:
        near, reach = self.dilation, self.reach
        spliced = torch.cat([whole_BTH[:, :-reach], whole_BTH[:, near:-near], whole_BTH[:, reach:]], -1)
        new_BTH = self.delays(spliced)
        return self.dropout(torch.relu(self.norm(new_BTH.flatten(0, 1)).view_as(new_BTH)))
