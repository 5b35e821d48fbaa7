"""The deep CNN of Chen (2015): convolutions one after another, then fully connected layers.

Legend: B = sentences, T = tokens, E = size of a token's vector, F = maps, C = classes.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn

from tasks.text.networks.embedding import PAD, Variant, WordEmbedding
from tasks.text.networks.hidden import hidden_layers
from tasks.text.networks.pooling import MaxPooling, Pooling
from zoo.errors import InputError


class SerialCNN(nn.Module):
    """Two serial convolutions, pooling over time, fully connected layers with dropout.

    Chen's other net, four convolutions side by side, is `SentenceCNN` with four `region_sizes` and `hidden_sizes`.

    Args:
        vocabulary_size: rows of the table of vectors.
        num_classes: C.
        embedding_size: of a token's vector, one channel.
        variant: see `WordEmbedding`.
        region_sizes: odd widths of the convolutions in their order; each keeps the sentence's length.
        feature_maps: F of every convolution.
        hidden_sizes: of the fully connected layers before the last.
        activation: makes the activation function.
        pooling: of a map over the sentence.
        dropout: share of values dropped before every linear layer.
        word_dropout: see `WordEmbedding`.

    Raises:
        InputError: no region size, or an even one.

    >>> import torch
    >>> net = SerialCNN(vocabulary_size=10, num_classes=2)
    >>> net(torch.tensor([[2, 3, 4], [5, 0, 0]])).shape
    torch.Size([2, 2])
    """

    def __init__(
        self,
        vocabulary_size: int = 20_000,
        num_classes: int = 2,
        embedding_size: int = 128,
        variant: Variant = "tuned",
        region_sizes: Sequence[int] = (3, 3),
        feature_maps: int = 100,
        hidden_sizes: Sequence[int] = (100,),
        activation: Callable[[], nn.Module] = nn.ReLU,
        pooling: Pooling | None = None,
        dropout: float = 0.5,
        word_dropout: float = 0.0,
    ):
        super().__init__()
        if not region_sizes or any(h < 1 or h % 2 == 0 for h in region_sizes):
            raise InputError(f"net.region_sizes: expected odd sizes of 1 or more, got {list(region_sizes)}; take 3, 3")
        self.embedding = WordEmbedding(vocabulary_size, embedding_size, variant, word_dropout)
        widths = [self.embedding.vector_size, *[feature_maps] * len(region_sizes)]
        self.filters = nn.ModuleList(
            nn.Conv1d(before, after, h, padding=h // 2)
            for (before, after), h in zip(pairwise(widths), region_sizes, strict=True)
        )
        self.activation, self.pooling = activation(), pooling or MaxPooling()
        self.hidden, features = hidden_layers(feature_maps * self.pooling.values, hidden_sizes, activation, dropout)
        self.dropout, self.output = nn.Dropout(dropout), nn.Linear(features, num_classes)

    def embed(self, tokens_BT: Tensor) -> Tensor:
        """vectors_BTE, the continuous side that saliency is taken at."""
        return self.embedding(tokens_BT)

    def classify(self, vectors_BTE: Tensor, present_BT: Tensor) -> Tensor:
        """Logits of sentences given as vectors, zero where no token is present."""
        maps_BFT = vectors_BTE.transpose(1, 2)
        for convolution in self.filters:
            # A convolution writes one position past the end; the next one must not read it.
            maps_BFT = self.activation(convolution(maps_BFT)).masked_fill(~present_BT[:, None], 0)
        return self.output(self.dropout(self.hidden(self.pooling(maps_BFT, present_BT))))

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits [B, C]."""
        return self.classify(self.embed(tokens_BT), tokens_BT != PAD)
