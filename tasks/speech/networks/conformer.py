"""torchaudio's Conformer as a recogniser whose answers do not depend on their batch.

Legend: B = utterances, T = frames, D = features, H = hidden channels, V = labels with the blank.
"""

import torch
from torch import Tensor, nn


class Conformer(nn.Module):
    """Layers of feed-forward, self-attention and convolution after a strided convolution. Gulati et al. (2020).

    The layers are torchaudio's. Its own forward lets padding into the convolutions and into the means of batch norm,
    so it is written anew here; without padding both give the same.

    Args:
        features: D.
        labels: V.
        hidden_size: H.
        layers: how many.
        heads: of self-attention.
        kernel: width of the convolutions, odd.
        stride: of the first convolution: frames become as many times fewer.
        dropout: in every part of a layer.
    """

    def __init__(
        self,
        features: int,
        labels: int,
        hidden_size: int = 96,
        layers: int = 4,
        heads: int = 4,
        kernel: int = 15,
        stride: int = 2,
        dropout: float = 0.1,
    ):
        from torchaudio.models.conformer import ConformerLayer

        super().__init__()
        self.stride = stride
        self.first = nn.Conv1d(features, hidden_size, 2 * stride + 1, stride, padding=stride)
        self.layers = nn.ModuleList(
            ConformerLayer(hidden_size, 4 * hidden_size, heads, kernel, dropout) for _ in range(layers)
        )
        self.output = nn.Linear(hidden_size, labels)

    def frames_out(self, frames_B: Tensor) -> Tensor:
        """Frames of the logits."""
        return -(-frames_B // self.stride)

    def forward(self, features_BTD: Tensor, frames_B: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of every kept frame, and how many each utterance has."""
        features_BTD = features_BTD.masked_fill(~inside(frames_B, features_BTD.shape[1])[..., None], 0)
        hidden_BTH = torch.relu(self.first(features_BTD.transpose(1, 2))).transpose(1, 2)
        frames_B = self.frames_out(frames_B)
        inside_BT = inside(frames_B, hidden_BTH.shape[1])
        for layer in self.layers:
            hidden_BTH = layer_output(layer, hidden_BTH, inside_BT)
        return self.output(hidden_BTH), frames_B


def inside(frames_B: Tensor, longest: int) -> Tensor:
    """True where a frame is the utterance's, [B, T]."""
    return torch.arange(longest, device=frames_B.device) < frames_B[:, None]


def layer_output(layer: nn.Module, hidden_BTH: Tensor, inside_BT: Tensor) -> Tensor:
    """What torchaudio's ConformerLayer gives for each utterance alone."""
    hidden_BTH = hidden_BTH + 0.5 * layer.ffn1(hidden_BTH)
    hidden_BTH = hidden_BTH + _attended(layer, hidden_BTH, inside_BT)
    hidden_BTH = hidden_BTH + _convolved(layer.conv_module, hidden_BTH, inside_BT)
    return layer.final_layer_norm(hidden_BTH + 0.5 * layer.ffn2(hidden_BTH))


def _attended(layer: nn.Module, hidden_BTH: Tensor, inside_BT: Tensor) -> Tensor:
    x_TBH = layer.self_attn_layer_norm(hidden_BTH).transpose(0, 1)
    out_TBH, _ = layer.self_attn(x_TBH, x_TBH, x_TBH, key_padding_mask=~inside_BT, need_weights=False)
    return layer.self_attn_dropout(out_TBH).transpose(0, 1)


def _convolved(module: nn.Module, hidden_BTH: Tensor, inside_BT: Tensor) -> Tensor:
    widen, gate, depthwise, norm, activation, narrow, dropout = module.sequential
    wide_BHT = gate(widen(module.layer_norm(hidden_BTH).transpose(1, 2)))
    mixed_BTH = depthwise(wide_BHT * inside_BT[:, None]).transpose(1, 2)
    # Batch norm's means are over the utterances' own frames.
    normed_BTH = torch.zeros_like(mixed_BTH).masked_scatter(inside_BT[..., None], norm(mixed_BTH[inside_BT]))
    return dropout(narrow(activation(normed_BTH).transpose(1, 2))).transpose(1, 2)
