"""Word vectors from files or from the corpus.

Legend: V = words of the vocabulary, E = size of a vector.
"""

from abc import ABC, abstractmethod

from torch import Tensor


class VectorSource(ABC):
    """Where word vectors come from; named in a recipe by its class path under `model.vectors`."""

    @abstractmethod
    def read(self, words: list[str], texts: list[str]) -> tuple[Tensor, Tensor]:
        """(matrix_VE, found_V): a vector for every word, and which were really found.

        Args:
            words: the vocabulary, by id.
            texts: the training sentences, for vectors that are trained on them.
        """
