"""The mean of a sentence's vectors and a linear layer: what a CNN has to beat.

Legend: B = sentences, T = tokens, E = size of a token's vector, C = classes.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from tasks.text.networks.embedding import PAD, Variant, WordEmbedding
from tasks.text.networks.hidden import hidden_layers
from tasks.text.networks.pooling import MeanPooling, Pooling
from zoo.errors import InputError


class BagOfVectors(nn.Module):
    """fastText's classifier (Joulin et al. 2017), or with several poolings one of Shen et al. (2018).

    With `buckets`, a token's vector is its word's plus the hashed vector of its predecessor and itself as a pair.
    (fastText takes one mean over words and pairs together: the same but for the factor (2T - 1) / T.)

    Args:
        vocabulary_size: rows of the table of vectors.
        num_classes: C.
        embedding_size: of a token's vector, one channel.
        variant: see `WordEmbedding`.
        buckets: rows of the table of pairs; 0 leaves pairs out.
        poolings: of the vectors over the sentence, side by side; the mean by default.
        hidden_sizes: of fully connected layers before the last.
        activation: of those layers.
        dropout: share of values dropped before every linear layer.

    Raises:
        InputError: a negative number of buckets.

    >>> net = BagOfVectors(vocabulary_size=10, num_classes=2)
    >>> net(torch.tensor([[2, 3, 4], [5, 0, 0]])).shape
    torch.Size([2, 2])
    """

    def __init__(
        self,
        vocabulary_size: int = 20_000,
        num_classes: int = 2,
        embedding_size: int = 128,
        variant: Variant = "tuned",
        buckets: int = 0,
        poolings: list[Pooling] | None = None,
        hidden_sizes: Sequence[int] = (),
        activation: Callable[[], nn.Module] = nn.ReLU,
        dropout: float = 0.0,
    ):
        super().__init__()
        if buckets < 0:
            raise InputError(f"net.buckets: expected 0 or more, got {buckets}; 0 leaves pairs out")
        self.embedding = WordEmbedding(vocabulary_size, embedding_size, variant)
        size = self.embedding.vector_size
        self.pairs = nn.Embedding(buckets + 1, size, padding_idx=0) if buckets else None
        if self.pairs is not None:
            nn.init.zeros_(self.pairs.weight)
        self.poolings = nn.ModuleList(poolings or [MeanPooling()])
        values = sum(pooling.values for pooling in self.poolings)
        self.hidden, features = hidden_layers(size * values, hidden_sizes, activation, dropout)
        self.dropout, self.output = nn.Dropout(dropout), nn.Linear(features, num_classes)

    def embed(self, tokens_BT: Tensor) -> Tensor:
        """vectors_BTE, the continuous side that saliency is taken at."""
        vectors_BTE = self.embedding(tokens_BT)
        if self.pairs is None:
            return vectors_BTE
        return vectors_BTE + self.pairs(bucket_of_pairs(tokens_BT, self.pairs.num_embeddings - 1))

    def classify(self, vectors_BTE: Tensor, present_BT: Tensor) -> Tensor:
        """Logits of sentences given as vectors, zero where no token is present."""
        vectors_BET = vectors_BTE.transpose(1, 2)
        pooled = torch.cat([pooling(vectors_BET, present_BT) for pooling in self.poolings], 1)
        return self.output(self.dropout(self.hidden(pooled)))

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits [B, C]."""
        return self.classify(self.embed(tokens_BT), tokens_BT != PAD)


def bucket_of_pairs(tokens_BT: Tensor, buckets: int) -> Tensor:
    """1 + hash(previous token, token) mod buckets; 0 for a first token and for padding.

    >>> bucket_of_pairs(torch.tensor([[2, 3, 0]]), 1000).tolist()
    [[0, 197, 0]]
    """
    # Multiplicative hashing with two odd 31-bit constants: products of ids below 2**31 stay within int64.
    mixed_BT = tokens_BT[:, :-1] * 1_540_483_477 + tokens_BT[:, 1:] * 1_103_515_245
    mixed_BT = (mixed_BT ^ (mixed_BT >> 15)) % buckets + 1
    return torch.cat([torch.zeros_like(tokens_BT[:, :1]), mixed_BT.masked_fill(tokens_BT[:, 1:] == PAD, 0)], 1)
