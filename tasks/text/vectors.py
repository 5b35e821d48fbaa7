"""Word vectors for a vocabulary, from files or from the corpus.

Legend: V = words of the vocabulary, E = size of a vector, M = tokens of all sentences.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tasks.text.corpus_vectors import cooccurrences, factors, positive_information
from tasks.text.tokeniser import PAD, UNKNOWN, Encoded
from tasks.text.vector_files import Vectors, array_vectors, binary_vectors, packaged_vectors, text_vectors
from zoo.errors import InputError


class VectorSource(ABC):
    """Where word vectors come from; named in a recipe by its class path under `model.vectors`."""

    @abstractmethod
    def read(self, words: list[str], encoded: Encoded) -> tuple[Tensor, Tensor]:
        """(matrix_VE, found_V): a vector for every word, and which were really found.

        Args:
            words: the vocabulary, by id.
            encoded: the training sentences, for vectors that are trained on them.
        """


@dataclass(frozen=True)
class GloVeFile(VectorSource):
    """A .txt of GloVe, word2vec or fastText (.vec)."""

    path: str

    def read(self, words: list[str], encoded: Encoded) -> tuple[Tensor, Tensor]:
        """See `VectorSource.read`."""
        return vectors_of(words, lambda wanted: text_vectors(Path(self.path), wanted))


@dataclass(frozen=True)
class Word2VecFile(VectorSource):
    """A .bin of word2vec, such as GoogleNews-vectors-negative300.bin."""

    path: str

    def read(self, words: list[str], encoded: Encoded) -> tuple[Tensor, Tensor]:
        """See `VectorSource.read`."""
        return vectors_of(words, lambda wanted: binary_vectors(Path(self.path), wanted))


@dataclass(frozen=True)
class NumpyVectors(VectorSource):
    """A .npy of [words, size] floats, with its words, one a line, in <name>.words.txt or <name>.txt beside it."""

    path: str

    def read(self, words: list[str], encoded: Encoded) -> tuple[Tensor, Tensor]:
        """See `VectorSource.read`."""
        return vectors_of(words, lambda wanted: array_vectors(Path(self.path), wanted))


@dataclass(frozen=True)
class GloVe50(VectorSource):
    """GloVe 6B, 50 dimensions, 400,000 words in lower case, of the extra `vectors`; Kim (2014) used 300-d word2vec."""

    def read(self, words: list[str], encoded: Encoded) -> tuple[Tensor, Tensor]:
        """See `VectorSource.read`."""
        return vectors_of(words, packaged_vectors)


@dataclass(frozen=True)
class CorpusVectors(VectorSource):
    """Trained on the training sentences: positive mutual information within a window, truncated SVD.

    Levy, Goldberg and Dagan (2015): on small corpora as good as word2vec's own training, and without chance.

    Args:
        size: of a vector, the net's embedding_size.
        window: how far apart two tokens may stand.
    """

    size: int = 128
    window: int = 4

    def __post_init__(self) -> None:
        if self.window < 1:
            raise InputError(f"vectors.window: expected 1 or more, got {self.window}; 2 to 5 are usual")

    def read(self, words: list[str], encoded: Encoded) -> tuple[Tensor, Tensor]:
        """See `VectorSource.read`; the variance is that of Kim's random vectors."""
        counts_VV = cooccurrences(encoded, len(words), self.window)
        if counts_VV.nnz == 0:
            raise InputError(
                "vectors: expected words that stand beside others in the sentences, got none; leave them out"
            )
        matrix_VE = torch.from_numpy(factors(positive_information(counts_VV), self.size)).float()
        found_V = torch.from_numpy(np.asarray(counts_VV.sum(1)).ravel() > 0)
        matrix_VE *= (0.25**2 / 3) ** 0.5 / matrix_VE[found_V].std()
        return completed(matrix_VE, found_V), found_V


@dataclass(frozen=True)
class JoinedVectors(VectorSource):
    """Vectors of several sources side by side; a word is found where every source has it."""

    sources: list[VectorSource]

    def read(self, words: list[str], encoded: Encoded) -> tuple[Tensor, Tensor]:
        """See `VectorSource.read`."""
        matrices, found = zip(*(source.read(words, encoded) for source in self.sources), strict=True)
        return torch.cat(matrices, 1), torch.stack(found).all(0)


def vectors_of(words: list[str], lookup: Callable[[set[str]], Vectors]) -> tuple[Tensor, Tensor]:
    """(matrix_VE, found_V) for the vocabulary; a word that is not there counts as found in another case.

    Args:
        words: by id, [PAD] and [UNK] first.
        lookup: from the words wanted to the vectors of those that there are.

    Raises:
        InputError: not one word was found.

    >>> vectors_of(["[PAD]", "[UNK]", "Bird"], lambda wanted: {"bird": np.ones(3, np.float32)})[1]
    tensor([False, False,  True])
    """
    real = words[UNKNOWN + 1 :]
    known = lookup({form for word in real for form in forms(word)})
    if not known:
        raise InputError(f"vectors: expected some of the {len(real)} words of the vocabulary, got none; mend the path")
    rows = [next((known[form] for form in forms(word) if form in known), None) for word in real]
    found_V = torch.tensor([False] * (UNKNOWN + 1) + [row is not None for row in rows])
    matrix_VE = torch.zeros(len(words), len(next(iter(known.values()))))
    matrix_VE[found_V] = torch.from_numpy(np.stack([row for row in rows if row is not None]))
    return completed(matrix_VE, found_V), found_V


def forms(word: str) -> list[str]:
    """Spellings under which a word is looked for, in turn.

    >>> forms("paris"), forms("USA")
    (['paris', 'Paris', 'PARIS'], ['USA', 'usa', 'Usa'])
    """
    return list(dict.fromkeys([word, word.lower(), word.capitalize(), word.upper()]))


def completed(matrix_VE: Tensor, found_V: Tensor) -> Tensor:
    """The same, with vectors for words that were not found: uniform, centred, of the variance of the others.

    Kim (2014). Drawn by torch's generator, hence by the run's seed; [PAD] is zero.
    """
    bound = matrix_VE[found_V].double().var().mul(3).sqrt().item()
    drawn_VE = torch.empty_like(matrix_VE).uniform_(-bound, bound)
    filled_VE = torch.where(found_V[:, None], matrix_VE, drawn_VE)
    filled_VE[PAD] = 0
    return filled_VE


def out_of_vocabulary(found_V: Tensor, tokens_M: Tensor) -> tuple[float, float]:
    """Shares without a vector of their own: of the words that occur, of the tokens."""
    return 1 - found_V[tokens_M.unique()].double().mean().item(), 1 - found_V[tokens_M].double().mean().item()
