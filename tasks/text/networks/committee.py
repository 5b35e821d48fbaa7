"""Several nets that are trained side by side and asked together.

Legend: B = sentences, T = tokens, E = sizes of a token's vectors of all members, K = members, C = classes.
"""

import torch
from torch import Tensor, nn

from tasks.text.networks.embedding import PAD, WordEmbedding
from tasks.text.tokeniser import Encoded
from zoo.errors import InputError


class Committee(nn.Module):
    """The mean of the members' logits; in training every member's own ones, [B, K, C].

    The loss is the mean of the members' losses: each learns as it would alone, from the same batches. Probabilities are
    so the members' geometric mean, and what a word adds to a logit the mean of what it adds to theirs.

    Args:
        members: nets with `embed` and `classify`, of one vocabulary and for the same classes.

    Raises:
        InputError: fewer than two members.

    >>> from tasks.text.networks import NaiveBayes, SentenceCNN
    >>> nets = Committee([SentenceCNN(vocabulary_size=9), NaiveBayes(vocabulary_size=9, pairs=5)])
    >>> nets(torch.tensor([[2, 3, 4]])).shape, nets.eval()(torch.tensor([[2, 3, 4]])).shape
    (torch.Size([1, 2, 2]), torch.Size([1, 2]))
    """

    def __init__(self, members: list[nn.Module]):
        super().__init__()
        if len(members) < 2:
            raise InputError(f"net.members: expected two nets or more, got {len(members)}; take the net itself")
        self.members = nn.ModuleList(members)
        with torch.no_grad():
            self.sizes = [member.embed(torch.zeros(1, 1, dtype=torch.int64)).shape[2] for member in members]

    @property
    def embedding(self) -> "Embeddings":
        """The members' tables."""
        return Embeddings([member.embedding for member in self.members])

    def start_from(self, encoded: Encoded, labels_N: Tensor) -> None:
        """Members that start from statistics of the training split take them."""
        for member in self.members:
            if hasattr(member, "start_from"):
                member.start_from(encoded, labels_N)

    def embed(self, tokens_BT: Tensor) -> Tensor:
        """vectors_BTE, the members' ones side by side."""
        return torch.cat([member.embed(tokens_BT) for member in self.members], 2)

    def classify(self, vectors_BTE: Tensor, present_BT: Tensor) -> Tensor:
        """The mean of the members' logits [B, C]; in training all of them [B, K, C]."""
        parts = vectors_BTE.split(self.sizes, 2)
        answers = [member.classify(part, present_BT) for member, part in zip(self.members, parts, strict=True)]
        logits_BKC = torch.stack(answers, 1)
        return logits_BKC if self.training else logits_BKC.mean(1)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """See `classify`."""
        return self.classify(self.embed(tokens_BT), tokens_BT != PAD)


class Embeddings:
    """What a task asks of a net's table, of several."""

    def __init__(self, tables: list[nn.Module]):
        self.tables = tables
        self.vocabulary_size = min(table.vocabulary_size for table in tables)

    def load(self, matrix_VE: Tensor) -> None:
        """Start every table of word vectors from the same ones.

        Raises:
            InputError: no member has word vectors, or one of another size.
        """
        chosen = [table for table in self.tables if isinstance(table, WordEmbedding)]
        if not chosen:
            raise InputError("model.vectors: expected a member with word vectors, got none; leave it out")
        for table in chosen:
            table.load(matrix_VE)
