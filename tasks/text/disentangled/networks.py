"""An encoder with a part for meaning and a part for form, and what it is trained against.

Legend: B = sentences, T = tokens, E = size of a token's vector, F = maps, D = size of a part, H = hidden units,
P = positions of the longest sentence, V = vocabulary, K = forms.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import layer_norm

from tasks.text.networks.embedding import PAD, WordEmbedding
from tasks.text.networks.pooling import MaxPooling


class Part(nn.Module):
    """vectors_BTE -> [B, D]: two convolutions over five tokens, the largest value of each map, a linear layer."""

    def __init__(self, embedding_size: int, feature_maps: int, size: int, activation: Callable[[], nn.Module]):
        super().__init__()
        self.filters = nn.ModuleList(
            nn.Conv1d(inputs, feature_maps, 5, padding=2) for inputs in (embedding_size, feature_maps)
        )
        self.activation, self.pooling = activation(), MaxPooling()
        self.output = nn.Linear(feature_maps, size)

    def forward(self, vectors_BTE: Tensor, present_BT: Tensor) -> Tensor:
        """The part of every sentence."""
        maps_BFT = vectors_BTE.transpose(1, 2)
        for convolution in self.filters:
            maps_BFT = self.activation(convolution(maps_BFT)).masked_fill(~present_BT[:, None], 0)
        found_BD = self.output(self.pooling(maps_BFT, present_BT))
        return layer_norm(found_BD, found_BD.shape[1:])


class Decoder(nn.Module):
    """(meaning_BD, form_BD) -> logits_BPV, the words of the sentence that says the meaning in the form.

    With q_p = relu(F form + e_p) at position p, h_p = relu(A meaning * sigmoid(G q_p) + B q_p) gives the logits: form
    and position choose what is read out of the meaning. All positions at once: nothing but the two parts tells words.
    """

    def __init__(self, size: int, hidden: int, positions: int, vocabulary_size: int):
        super().__init__()
        self.content, self.form = nn.Linear(size, hidden), nn.Linear(size, hidden)
        self.positions = nn.Parameter(torch.randn(positions, hidden))
        self.gate, self.bias = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, vocabulary_size)

    def forward(self, meaning_BD: Tensor, form_BD: Tensor) -> Tensor:
        """The logits."""
        place_BPH = torch.relu(self.form(form_BD)[:, None] + self.positions)
        read_BPH = self.content(meaning_BD)[:, None] * self.gate(place_BPH).sigmoid()
        return self.output(torch.relu(read_BPH + self.bias(place_BPH)))


class Disentangled(nn.Module):
    """Embedding, two parts, a decoder, and an adversary that looks for the form in the meaning.

    A small form of ParaBART (Huang et al. 2021). Departures: no pretrained encoder; the form is read from another
    sentence of that form, not from its parse; the adversary names the form instead of the constituents in it.

    Args:
        vocabulary_size: V.
        forms: K.
        positions: P.
        embedding_size: E.
        feature_maps: F of each convolution.
        size: D of each part.
        hidden: H of decoder and adversary.
        activation: makes the activation function of the parts.
    """

    def __init__(
        self,
        vocabulary_size: int = 100,
        forms: int = 8,
        positions: int = 13,
        embedding_size: int = 32,
        feature_maps: int = 64,
        size: int = 32,
        hidden: int = 128,
        activation: Callable[[], nn.Module] = nn.ReLU,
    ):
        super().__init__()
        self.embedding = WordEmbedding(vocabulary_size, embedding_size)
        self.meaning = Part(embedding_size, feature_maps, size, activation)
        self.form = Part(embedding_size, feature_maps, size, activation)
        self.decoder = Decoder(size, hidden, positions, vocabulary_size)
        self.adversary = nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, forms))

    def embed(self, tokens_BT: Tensor) -> Tensor:
        """vectors_BTE, the continuous side that shares are taken at."""
        return self.embedding(tokens_BT)

    def forward(self, tokens_BT: Tensor) -> tuple[Tensor, Tensor]:
        """(meaning_BD, form_BD)."""
        vectors_BTE, present_BT = self.embed(tokens_BT), tokens_BT != PAD
        return self.meaning(vectors_BTE, present_BT), self.form(vectors_BTE, present_BT)


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradient, None


def reversed_gradient(x: Tensor, strength: float) -> Tensor:
    """x, whose gradient comes back times -strength: what lowers a loss behind it raises it before it.

    Ganin and Lempitsky (2015). So one optimiser plays both sides: the adversary gets better, the encoder deceives it.

    >>> x = torch.ones(1, requires_grad=True)
    >>> reversed_gradient(x, 0.5).mul(4).backward()
    >>> x.grad.item()
    -2.0
    """
    return _Reversed.apply(x, strength)
