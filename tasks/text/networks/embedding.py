"""Word vectors as a layer: Kim's (2014) four kinds.

Legend: B = sentences, T = tokens, E = size of a token's vector, V = vocabulary.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from zoo.errors import InputError

Variant = Literal["tuned", "static", "multichannel"]
PAD, UNKNOWN = 0, 1


class PlaceVectors(nn.Module):
    """vectors_BTE -> the same plus a learned vector for each of the first places of a sentence, at first zero.

    A filter's answer is so raised or lowered by where a word stands. Places behind the last have its vector.

    Args:
        places: how many vectors.
        size: E.
    """

    def __init__(self, places: int, size: int):
        super().__init__()
        if places < 1:
            raise InputError(f"net.places: expected 1 or more, got {places}; leave it out for none")
        self.vectors = nn.Parameter(torch.zeros(places, size))

    def forward(self, vectors_BTE: Tensor, present_BT: Tensor) -> Tensor:
        """The sum; zero where no token is present."""
        places_T = torch.arange(vectors_BTE.shape[1], device=vectors_BTE.device).clamp(max=len(self.vectors) - 1)
        return vectors_BTE + self.vectors[places_T] * present_BT[..., None]


class WordEmbedding(nn.Module):
    """tokens_BT -> vectors_BTE; [PAD] is the zero vector and stays it.

    Kim's CNN-rand and CNN-non-static are `tuned` (from random or from given vectors), CNN-static is `static`,
    CNN-multichannel has both, side by side along E.

    Args:
        vocabulary_size: V, [PAD] and [UNK] among them.
        size: of a vector of one channel.
        variant: which channels there are.
        word_dropout: share of the tokens of a training sentence that are read as [UNK], whose vector so learns too.
        sparse: gradients of the tuned rows of a batch alone; the optimiser must take them (zoo.optim.LazyAdam ...).
    """

    def __init__(
        self,
        vocabulary_size: int = 20_000,
        size: int = 128,
        variant: Variant = "tuned",
        word_dropout: float = 0.0,
        sparse: bool = False,
    ):
        super().__init__()
        if variant not in ("tuned", "static", "multichannel"):
            raise InputError(f"net.variant: expected tuned, static or multichannel, got {variant!r}; mend the recipe")
        if not 0 <= word_dropout < 1:
            raise InputError(f"net.word_dropout: expected a share in [0, 1), got {word_dropout}; 0.1 is usual")
        self.vocabulary_size, self.size = vocabulary_size, size
        self.word_dropout, self.sparse = word_dropout, sparse
        # Kim: uniform in [-0.25, 0.25], about the variance of word2vec's vectors.
        start = torch.empty(vocabulary_size, size).uniform_(-0.25, 0.25)
        start[PAD] = 0
        self.tuned = nn.Parameter(start.clone()) if variant != "static" else None
        self.static = nn.Parameter(start.clone(), requires_grad=False) if variant != "tuned" else None

    @property
    def channels(self) -> list[nn.Parameter]:
        """The tables that there are, static first."""
        return [table for table in (self.static, self.tuned) if table is not None]

    @property
    def vector_size(self) -> int:
        """E."""
        return self.size * len(self.channels)

    @torch.no_grad()
    def load(self, matrix_VE: Tensor) -> None:
        """Start every channel from given vectors, one a word of the vocabulary; further rows stay random.

        Raises:
            InputError: vectors of another size.
        """
        if matrix_VE.shape[1] != self.size or len(matrix_VE) > self.vocabulary_size:
            raise InputError(
                f"vectors: expected {self.size} dimensions as model.net.embedding_size says, got "
                f"{matrix_VE.shape[1]}; set it to {matrix_VE.shape[1]}"
            )
        for table in self.channels:
            table[: len(matrix_VE)] = matrix_VE
            table[PAD] = 0

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Vectors of the tokens."""
        if self.training and self.word_dropout:
            drawn_BT = torch.rand(tokens_BT.shape, device=tokens_BT.device) < self.word_dropout
            tokens_BT = tokens_BT.masked_fill(drawn_BT & (tokens_BT != PAD), UNKNOWN)
        # Probes put tensors in the parameters' place, whose derivatives they want whole.
        found = [
            embedding(tokens_BT, table, PAD, sparse=self.sparse and isinstance(table, nn.Parameter))
            for table in self.channels
        ]
        return found[0] if len(found) == 1 else torch.cat(found, -1)
