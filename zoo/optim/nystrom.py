"""Randomised Nystrom approximation of a positive semidefinite matrix given as products: a preconditioner for conjugate
gradients. Frangella, Tropp and Udell (2023), algorithms 2.1 and 5.1.

Legend: P = size of the matrix, K = rank of the approximation.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def nystrom(
    times: Callable[[Tensor], Tensor], like_P: Tensor, rank: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """(vectors U [P, K], values [K]) with A near U diag(values) U', from `rank` products with A.

    Exact where A has no more than that rank.

    Args:
        times: v -> A v.
        like_P: a vector whose size, dtype and device are taken.
        rank: K, at most P.
        generator: on the CPU, of the test vectors.
    """
    test_PK = torch.randn(len(like_P), min(rank, len(like_P)), generator=generator, dtype=like_P.dtype)
    test_PK = torch.linalg.qr(test_PK.to(like_P.device)).Q
    images_PK = torch.stack([times(column) for column in test_PK.unbind(1)], 1)
    # A shift by rounding keeps the small matrix below definite; it is taken off again at the end.
    shift = torch.finfo(like_P.dtype).eps * len(like_P) ** 0.5 * torch.linalg.matrix_norm(images_PK)
    images_PK = images_PK + shift * test_PK
    small_KK = test_PK.t() @ images_PK
    factor_KK, _ = torch.linalg.cholesky_ex((small_KK + small_KK.t()) / 2)
    root_PK = torch.linalg.solve_triangular(factor_KK, images_PK.t(), upper=False).t()
    vectors_PK, roots_K, _ = torch.linalg.svd(root_PK, full_matrices=False)
    return vectors_PK, (roots_K.square() - shift).clamp(min=0)


def inverse_near(vectors_PK: Tensor, values_K: Tensor, damping: float) -> Callable[[Tensor], Tensor]:
    """v -> M^-1 v for an M near (A + damping) up to a factor: exact along U, a multiple of v elsewhere."""
    lowest = values_K[-1] + damping
    gains_K = lowest / (values_K + damping) - 1
    return lambda v_P: v_P + vectors_PK @ (gains_K * (vectors_PK.t() @ v_P))
