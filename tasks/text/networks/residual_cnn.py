"""A deep residual sentence CNN after the deep pyramid of Johnson and Zhang (2017).

Legend: B = sentences, T = tokens, E = size of a token's vector, F = maps, S = positions, C = classes.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from tasks.text.networks.embedding import PAD, Variant, WordEmbedding
from tasks.text.networks.pooling import MaxPooling, Pooling
from tasks.text.networks.present import halved, on_present
from zoo.errors import InputError

Norm = Callable[[int], nn.Module]


class ResidualBlock(nn.Module):
    """x + W2 a(n2(W1 a(n1(x)))): two pre-activated convolutions over three tokens (He et al. 2016).

    Args:
        feature_maps: F, in and out.
        dilation: distance between the three tokens that a filter sees.
        norm: channels -> module for rows [M, F], called with present positions only.
        activation: makes the activation function.
        dropout: share of values dropped before the second convolution.
    """

    def __init__(
        self, feature_maps: int, dilation: int, norm: Norm, activation: Callable[[], nn.Module], dropout: float
    ):
        super().__init__()
        self.norms = nn.ModuleList(norm(feature_maps) for _ in range(2))
        self.filters = nn.ModuleList(
            nn.Conv1d(feature_maps, feature_maps, 3, padding=dilation, dilation=dilation) for _ in range(2)
        )
        self.activation, self.dropout = activation(), nn.Dropout(dropout)

    def forward(self, maps_BFS: Tensor, valid_BS: Tensor) -> Tensor:
        """Maps of the same shape; what they are outside of a sentence has no meaning."""
        found = maps_BFS
        for norm, drop, convolution in zip(self.norms, (nn.Identity(), self.dropout), self.filters, strict=True):
            # Zero outside of the sentence after norm and activation, as behind the ends of the longest one.
            inside = self.activation(on_present(norm, found, valid_BS)).masked_fill(~valid_BS[:, None], 0)
            found = convolution(drop(inside))
        return maps_BFS + found


class ResidualCNN(nn.Module):
    """Words in their neighbourhood, residual blocks, halving between them, pooling, a linear layer.

    Departures from Johnson and Zhang (2017): a norm before each activation, blocks as many as `dilations` says instead
    of halving to one position, 1-max pooling over what is left.

    Args:
        vocabulary_size: rows of the table of vectors.
        num_classes: C.
        embedding_size: of a token's vector, one channel.
        variant: see `WordEmbedding`.
        feature_maps: F of every layer.
        dilations: one a block.
        halving: keep every second position between blocks, by the largest of three.
        norm: channels -> module for rows [M, F]: torch.nn.BatchNorm1d, LayerNorm, RMSNorm, or Identity for none.
        activation: makes the activation function.
        pooling: of a map over what is left of the sentence.
        dropout: share of pooled values dropped.
        block_dropout: share of values dropped inside a block.
        word_dropout: see `WordEmbedding`.

    Raises:
        InputError: no block, or a dilation below 1.

    >>> import torch
    >>> net = ResidualCNN(vocabulary_size=10, num_classes=2)
    >>> net(torch.tensor([[2, 3, 4], [5, 0, 0]])).shape
    torch.Size([2, 2])
    """

    def __init__(
        self,
        vocabulary_size: int = 20_000,
        num_classes: int = 2,
        embedding_size: int = 128,
        variant: Variant = "tuned",
        feature_maps: int = 128,
        dilations: Sequence[int] = (1, 1),
        halving: bool = True,
        norm: Norm = nn.BatchNorm1d,
        activation: Callable[[], nn.Module] = nn.ReLU,
        pooling: Pooling | None = None,
        dropout: float = 0.5,
        block_dropout: float = 0.0,
        word_dropout: float = 0.0,
    ):
        super().__init__()
        if not dilations or min(dilations) < 1:
            raise InputError(f"net.dilations: expected 1 or more for every block, got {list(dilations)}; take 1, 1")
        self.embedding = WordEmbedding(vocabulary_size, embedding_size, variant, word_dropout)
        self.region = nn.Conv1d(self.embedding.vector_size, feature_maps, 3, padding=1)
        self.blocks = nn.ModuleList(
            ResidualBlock(feature_maps, dilation, norm, activation, block_dropout) for dilation in dilations
        )
        self.halving, self.pooling = halving, pooling or MaxPooling()
        self.norm, self.activation = norm(feature_maps), activation()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(feature_maps * self.pooling.values, num_classes)

    def embed(self, tokens_BT: Tensor) -> Tensor:
        """vectors_BTE, the continuous side that saliency is taken at."""
        return self.embedding(tokens_BT)

    def maps(self, vectors_BTE: Tensor, present_BT: Tensor) -> tuple[Tensor, Tensor]:
        """(maps_BFS, valid_BS) of the last block, before its activation."""
        maps_BFS, valid_BS = self.region(vectors_BTE.transpose(1, 2)), present_BT
        for number, block in enumerate(self.blocks):
            if number and self.halving:
                maps_BFS, valid_BS = halved(maps_BFS, valid_BS)
            maps_BFS = block(maps_BFS, valid_BS)
        return maps_BFS, valid_BS

    def classify(self, vectors_BTE: Tensor, present_BT: Tensor) -> Tensor:
        """Logits of sentences given as vectors, zero where no token is present."""
        maps_BFS, valid_BS = self.maps(vectors_BTE, present_BT)
        maps_BFS = self.activation(on_present(self.norm, maps_BFS, valid_BS))
        return self.output(self.dropout(self.pooling(maps_BFS, valid_BS)))

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits [B, C]."""
        return self.classify(self.embed(tokens_BT), tokens_BT != PAD)
