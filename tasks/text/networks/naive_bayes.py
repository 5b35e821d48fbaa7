"""Naive Bayes ratios as features of a linear classifier: the NBSVM of Wang and Manning (2012).

Legend: B = sentences, T = tokens, C = classes, R = rows of the table of n-grams: V words, then K pairs,
N = sentences of the training split.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from tasks.text.networks.embedding import PAD
from tasks.text.networks.ngrams import (
    NO_PAIR,
    commonest_pairs,
    first_only,
    log_count_ratios,
    pair_rows,
    sentence_counts,
)
from tasks.text.tokeniser import Encoded
from zoo.errors import InputError


class NGramShares(nn.Module):
    """tokens_BT -> shares_BTC, what every token adds to the score of every class.

    An n-gram g counts once a sentence, where it is first, and adds scale r_gc (start + w_gc) to class c: naive Bayes
    where w = 0. The share of a pair is halved between its two words. A pair or word not in the training split adds 0.
    """

    def __init__(self, vocabulary_size: int, num_classes: int, pairs: int, start: float, scale: float, sparse: bool):
        super().__init__()
        self.vocabulary_size, self.start, self.scale, self.sparse = vocabulary_size, start, scale, sparse
        rows = vocabulary_size + pairs
        self.register_buffer("pair_keys", torch.full((pairs,), NO_PAIR))
        self.register_buffer("ratios_RC", torch.zeros(rows, num_classes))
        self.weights = nn.Parameter(torch.zeros(rows, num_classes))

    def load(self, matrix_VE: Tensor) -> None:
        """Refuse word vectors.

        Raises:
            InputError: always.
        """
        raise InputError("model.vectors: expected none with NaiveBayes, which has no word vectors; leave it out")

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """The shares."""
        words_BTC = self._shares(first_only(tokens_BT))
        if not len(self.pair_keys):
            return words_BTC
        pairs_BTC = self._shares(first_only(pair_rows(tokens_BT, self.pair_keys, self.vocabulary_size))) / 2
        return words_BTC + pairs_BTC + nn.functional.pad(pairs_BTC[:, 1:], (0, 0, 0, 1))

    def _shares(self, rows_BT: Tensor) -> Tensor:
        # Probes put tensors in the parameters' place, whose derivatives they want whole.
        sparse = self.sparse and isinstance(self.weights, nn.Parameter)
        weights_BTC = embedding(rows_BT, self.weights, sparse=sparse)
        return self.scale * self.ratios_RC[rows_BT] * (self.start + weights_BTC)


class NaiveBayes(nn.Module):
    """A linear classifier over words and pairs of words, each scaled by its log-count ratio.

    Departures from Wang and Manning (2012): the weights are trained by gradient steps from `start`, naive Bayes
    itself, in place of a support vector machine from 0 and interpolating afterwards. Several classes: one against rest.

    Args:
        vocabulary_size: V, as the data's.
        num_classes: C.
        pairs: K, most pairs of neighbours that have a weight, the commonest ones; 0 for words alone.
        smoothing: the paper's alpha, added to every count.
        start: weight of every n-gram before training.
        scale: of all scores; the ratios' sum over a sentence is far too sure of itself.
        sparse: gradients of the rows of a batch alone; see `WordEmbedding`.

    >>> net = NaiveBayes(vocabulary_size=10, num_classes=2, pairs=5)
    >>> net(torch.tensor([[2, 3, 4], [5, 0, 0]])).shape
    torch.Size([2, 2])
    """

    def __init__(
        self,
        vocabulary_size: int = 20_000,
        num_classes: int = 2,
        pairs: int = 150_000,
        smoothing: float = 1.0,
        start: float = 1.0,
        scale: float = 0.1,
        sparse: bool = False,
    ):
        super().__init__()
        if pairs < 0 or smoothing <= 0 or scale <= 0:
            raise InputError(
                f"net: expected pairs of 0 or more, smoothing and scale above 0, got {pairs}, {smoothing}, {scale}; "
                "150000, 1 and 0.1 are usual"
            )
        self.embedding = NGramShares(vocabulary_size, num_classes, pairs, start, scale, sparse)
        self.smoothing, self.bias = smoothing, nn.Parameter(torch.zeros(num_classes))

    @torch.no_grad()
    def start_from(self, encoded: Encoded, labels_N: Tensor) -> None:
        """Take pairs and ratios from the training split."""
        table = self.embedding
        size = table.vocabulary_size
        table.pair_keys.copy_(commonest_pairs(encoded, size, len(table.pair_keys)))
        counts_RC = sentence_counts(encoded, labels_N, table.pair_keys, size, table.ratios_RC.shape)
        table.ratios_RC.copy_(log_count_ratios(counts_RC, self.smoothing))

    def embed(self, tokens_BT: Tensor) -> Tensor:
        """shares_BTC; their derivative is 1, so that input x gradient is exact and the gradient alone says nothing."""
        return self.embedding(tokens_BT)

    def classify(self, vectors_BTC: Tensor, present_BT: Tensor) -> Tensor:
        """The sum of the shares of present tokens, and a bias."""
        return vectors_BTC.masked_fill(~present_BT[..., None], 0).sum(1) + self.bias

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits [B, C]."""
        return self.classify(self.embed(tokens_BT), tokens_BT != PAD)
