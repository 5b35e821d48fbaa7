"""Word vectors from the company that words keep in the training sentences.

Legend: V = words of the vocabulary, E = size of a vector, M = tokens of all sentences.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from tasks.text.tokeniser import Encoded
from zoo.errors import InputError


def cooccurrences(encoded: Encoded, vocabulary: int, window: int) -> sparse.csr_matrix:
    """How often two words stand at most `window` tokens apart, symmetric [V, V].

    d tokens apart count 1 - (d - 1) / window, as word2vec's windows of random width do on average. [PAD] and [UNK] keep
    no company.
    """
    tokens_M = encoded.tokens_M.numpy()
    sentence_M = np.repeat(np.arange(len(encoded)), encoded.lengths_N.numpy())
    total = sparse.csr_matrix((vocabulary, vocabulary))
    for apart in range(1, min(window, len(tokens_M) - 1) + 1):
        left, right = tokens_M[:-apart], tokens_M[apart:]
        pairs = (sentence_M[:-apart] == sentence_M[apart:]) & (left > 1) & (right > 1)
        weights = np.full(int(pairs.sum()), 1 - (apart - 1) / window)
        total += sparse.csr_matrix((weights, (left[pairs], right[pairs])), shape=(vocabulary, vocabulary))
    return total + total.T


def positive_information(counts_VV: sparse.csr_matrix, smoothing: float = 0.75) -> sparse.csr_matrix:
    """Positive pointwise mutual information, max(0, log p(w, c) / (p(w) p(c))).

    p(c) is of counts to the power `smoothing`, which tames rare contexts. Levy, Goldberg and Dagan (2015).

    >>> positive_information(sparse.csr_matrix([[0.0, 1.0], [1.0, 0.0]]), 1.0).toarray().round(3).tolist()
    [[0.0, 0.693], [0.693, 0.0]]
    """
    pairs = counts_VV.tocoo()
    words_V, contexts_V = (np.asarray(counts_VV.sum(axis)).ravel() for axis in (1, 0))
    contexts_V = contexts_V**smoothing
    contexts_V /= max(contexts_V.sum(), 1e-300)
    information = np.log(pairs.data / (words_V[pairs.row] * contexts_V[pairs.col]))
    kept = information > 0
    return sparse.csr_matrix((information[kept], (pairs.row[kept], pairs.col[kept])), shape=pairs.shape)


def factors(matrix_VV: sparse.csr_matrix, size: int) -> np.ndarray:
    """U sqrt(S) [V, E] of the truncated singular value decomposition, largest values first, signs fixed.

    Raises:
        InputError: fewer words than dimensions.
    """
    if not 1 <= size < min(matrix_VV.shape):
        raise InputError(
            f"vectors.size: expected 1 to {min(matrix_VV.shape) - 1}, less than the vocabulary has words, got {size}; "
            "set it and model.net.init_args.embedding_size"
        )
    start = np.random.RandomState(0).uniform(-1, 1, matrix_VV.shape[0])
    left_VE, values_E, _ = svds(matrix_VV, size, v0=start)
    order = np.argsort(-values_E)
    left_VE = left_VE[:, order] * np.sqrt(values_E[order])
    largest_E = left_VE[np.abs(left_VE).argmax(0), np.arange(size)]
    return left_VE * np.where(largest_E < 0, -1.0, 1.0)
