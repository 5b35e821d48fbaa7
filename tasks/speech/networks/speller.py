"""The speller of Listen, Attend and Spell.

Legend: B = utterances, T = frames of the memory, H = its channels, A = channels of its keys, U = labels of the longest
transcript, V = labels, of which 0 (CTC's blank) starts and ends a transcript, L = layers, S = their channels.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

END = 0


class Memory(NamedTuple):
    """What the listener heard, the keys it is found by, and which frames are padding."""

    values_BTH: Tensor
    keys_BTA: Tensor
    outside_BT: Tensor


class State(NamedTuple):
    """Where the speller is; the first dimension is the hypothesis in every part."""

    hidden_BLS: Tensor
    cell_BLS: Tensor
    context_BH: Tensor
    weights_BT: Tensor

    def take(self, rows_B: Tensor) -> "State":
        """Those of these hypotheses."""
        return State(*(part[rows_B] for part in self))


class Speller(nn.Module):
    """LSTM layers that read the last label and what was attended, attend anew, and say the next label.

    Chan et al. (2016), equations 6 to 8.

    Args:
        labels: V.
        memory_size: H.
        attention: one of `networks.attention`.
        hidden_size: S.
        layers: L.
        embedding_size: of a label.
        dropout: behind each layer.
    """

    def __init__(
        self,
        labels: int,
        memory_size: int,
        attention: nn.Module,
        hidden_size: int = 128,
        layers: int = 1,
        embedding_size: int = 32,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.embedding = nn.Embedding(labels, embedding_size)
        sizes = [embedding_size + memory_size] + [hidden_size] * (layers - 1)
        self.cells = nn.ModuleList(nn.LSTMCell(size, hidden_size) for size in sizes)
        self.attention, self.dropout = attention, nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size + memory_size, labels)

    def memory(self, values_BTH: Tensor, frames_B: Tensor) -> Memory:
        """What `step` attends to."""
        outside_BT = torch.arange(values_BTH.shape[1], device=frames_B.device) >= frames_B[:, None]
        # Padding must be zero, since 0 * nan in the weighted sum is nan.
        values_BTH = values_BTH.masked_fill(outside_BT[..., None], 0)
        return Memory(values_BTH, self.attention.keys(values_BTH), outside_BT)

    def start(self, memory: Memory) -> State:
        """Before the first label: zeros."""
        values_BTH = memory.values_BTH
        rest_BLS = values_BTH.new_zeros(len(values_BTH), len(self.cells), self.cells[0].hidden_size)
        return State(rest_BLS, rest_BLS, torch.zeros_like(values_BTH[:, 0]), torch.zeros_like(values_BTH[..., 0]))

    def step(self, labels_B: Tensor, state: State, memory: Memory) -> tuple[Tensor, State]:
        """Logits [B, V] of the label after `labels_B`, and the state there."""
        read = torch.cat([self.embedding(labels_B), state.context_BH], -1)
        new = []
        for layer, cell in enumerate(self.cells):
            new.append(cell(read, (state.hidden_BLS[:, layer], state.cell_BLS[:, layer])))
            read = self.dropout(new[-1][0])
        weights_BT = self.attention(read, memory.keys_BTA, state.weights_BT, memory.outside_BT)
        context_BH = (weights_BT[:, None] @ memory.values_BTH)[:, 0]
        hidden_BLS, cell_BLS = (torch.stack(parts, 1) for parts in zip(*new, strict=True))
        return self.output(torch.cat([read, context_BH], -1)), State(hidden_BLS, cell_BLS, context_BH, weights_BT)

    def forward(
        self, values_BTH: Tensor, frames_B: Tensor, labels_BU: Tensor, sampling: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Logits [B, U + 1, V] of each label and of the end, given those before; and the attention [B, U + 1, T].

        Args:
            values_BTH: the memory.
            frames_B: of the memory.
            labels_BU: transcripts, any label behind their ends.
            sampling: share of places where the speller reads a label drawn from its own answer in place of the
                transcript's: scheduled sampling, Bengio et al. (2015).
        """
        memory = self.memory(values_BTH, frames_B)
        state, read_B = self.start(memory), torch.full_like(frames_B, END)
        logits, weights = [], []
        for said_B in (*labels_BU.unbind(1), None):
            logits_BV, state = self.step(read_B, state, memory)
            logits.append(logits_BV)
            weights.append(state.weights_BT)
            read_B = said_B if said_B is None or not sampling else _drawn(said_B, logits_BV, sampling)
        return torch.stack(logits, 1), torch.stack(weights, 1)


def _drawn(said_B: Tensor, logits_BV: Tensor, sampling: float) -> Tensor:
    drawn_B = torch.multinomial(logits_BV.detach().softmax(-1), 1)[:, 0]
    return torch.where(torch.rand(len(said_B), device=said_B.device) < sampling, drawn_B, said_B)
