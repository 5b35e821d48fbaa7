"""The sentence CNN of Kim (2014), with every choice that Zhang and Wallace (2015) studied as an argument.

Legend: B = sentences, T = tokens, E = size of a token's vector, F = maps of a region size, S = windows, C = classes.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from tasks.text.networks.embedding import PAD, PlaceVectors, Variant, WordEmbedding
from tasks.text.networks.filters import RegionFilters, inside
from tasks.text.networks.hidden import hidden_layers
from tasks.text.networks.pooling import MaxPooling, Pooling
from zoo.errors import InputError

# The largest value of a map goes on being the largest behind them: they may come after max pooling, on one value a map.
INCREASING = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.Identity)


class SentenceCNN(nn.Module):
    """Filters over windows of h tokens for every region size h, pooled over the sentence, dropout, a linear layer.

    Windows reach over both ends by h - 1 zero vectors, as Kim's do, so that a sentence of one word has windows too.

    Args:
        vocabulary_size: rows of the table of vectors.
        num_classes: C.
        embedding_size: of a token's vector, one channel.
        variant: tuned (Kim's rand and non-static), static, or multichannel (both, each filter sees both).
        region_sizes: h of the filters; a size may be there several times.
        feature_maps: F, filters of each region size.
        activation: makes the activation function.
        pooling: of a map over the sentence.
        hidden_sizes: of fully connected layers before the last, as in the parallel CNN of Chen (2015).
        dropout: share of values dropped before every linear layer.
        embedding_dropout: share of a token's vector dropped.
        word_dropout: see `WordEmbedding`.
        places: learned vectors of places in the sentence, added to the words'; see `PlaceVectors`. None: none.
        sparse: see `WordEmbedding`.

    Raises:
        InputError: no region size, or one below 1.

    >>> net = SentenceCNN(vocabulary_size=10, num_classes=2)
    >>> net(torch.tensor([[2, 3, 4], [5, 0, 0]])).shape
    torch.Size([2, 2])
    """

    def __init__(
        self,
        vocabulary_size: int = 20_000,
        num_classes: int = 2,
        embedding_size: int = 128,
        variant: Variant = "tuned",
        region_sizes: Sequence[int] = (3, 4, 5),
        feature_maps: int = 100,
        activation: Callable[[], nn.Module] = nn.ReLU,
        pooling: Pooling | None = None,
        hidden_sizes: Sequence[int] = (),
        dropout: float = 0.5,
        embedding_dropout: float = 0.0,
        word_dropout: float = 0.0,
        places: int | None = None,
        sparse: bool = False,
    ):
        super().__init__()
        if not region_sizes or min(region_sizes) < 1:
            raise InputError(
                f"net.region_sizes: expected sizes of 1 or more, got {list(region_sizes)}; 3, 4, 5 are usual"
            )
        self.embedding = WordEmbedding(vocabulary_size, embedding_size, variant, word_dropout, sparse)
        self.region_sizes = tuple(region_sizes)
        size = self.embedding.vector_size
        self.places = PlaceVectors(places, size) if places is not None else None
        self.filters = nn.ModuleList(RegionFilters(size, feature_maps, h) for h in self.region_sizes)
        self.activation = activation()
        self.pooling = pooling or MaxPooling()
        self.embedding_dropout, self.dropout = nn.Dropout(embedding_dropout), nn.Dropout(dropout)
        pooled = feature_maps * len(self.region_sizes) * self.pooling.values
        self.hidden, features = hidden_layers(pooled, hidden_sizes, activation, dropout)
        self.output = nn.Linear(features, num_classes)

    def embed(self, tokens_BT: Tensor) -> Tensor:
        """vectors_BTE, the continuous side that saliency is taken at."""
        vectors_BTE = self.embedding(tokens_BT)
        return vectors_BTE if self.places is None else self.places(vectors_BTE, tokens_BT != PAD)

    def maps(self, vectors_BTE: Tensor, present_BT: Tensor) -> list[tuple[Tensor, Tensor]]:
        """(maps_BFS, valid_BS) of every region size; window s of size h ends at token s and begins at s - h + 1."""
        lengths_B = present_BT.sum(1)
        found = []
        for h, filters in zip(self.region_sizes, self.filters, strict=True):
            maps_BFS = self.activation(filters(vectors_BTE))
            found.append((maps_BFS, inside(lengths_B, maps_BFS.shape[2], h)))
        return found

    def pooled(self, vectors_BTE: Tensor, present_BT: Tensor) -> Tensor:
        """What the layers behind the filters see, [B, maps x values], the maps of the first region size first."""
        if type(self.pooling) is MaxPooling and isinstance(self.activation, INCREASING):
            lengths_B = present_BT.sum(1)
            return self.activation(torch.cat([filters(vectors_BTE, lengths_B) for filters in self.filters], 1))
        return torch.cat([self.pooling(*maps) for maps in self.maps(vectors_BTE, present_BT)], 1)

    def classify(self, vectors_BTE: Tensor, present_BT: Tensor) -> Tensor:
        """Logits of sentences given as vectors, zero where no token is present."""
        pooled = self.pooled(self.embedding_dropout(vectors_BTE), present_BT)
        return self.output(self.dropout(self.hidden(pooled)))

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits [B, C]."""
        return self.classify(self.embed(tokens_BT), tokens_BT != PAD)
