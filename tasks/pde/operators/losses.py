"""What an operator is judged and trained by, as plain functions.

Legend: B = functions, Q = points, N / M = examples of two samples, X / Y = features of inputs / outputs.
"""

import torch
from torch import Tensor

from zoo.errors import InputError


def relative_l2(found_BQ: Tensor, expected_BQ: Tensor) -> Tensor:
    """|found - expected| / |expected| of every function, [B].

    >>> relative_l2(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 1.0]])).round(decimals=4).tolist()
    [0.7071]
    """
    return (found_BQ - expected_BQ).norm(dim=1) / expected_BQ.norm(dim=1)


def squared_distances(a_NX: Tensor, b_MX: Tensor) -> Tensor:
    """|a_n - b_m|^2, [N, M], differentiable where it is zero; the common mean goes first, for rounding's sake."""
    mean_X = b_MX.detach().mean(0)
    a_NX, b_MX = a_NX - mean_X, b_MX - mean_X
    return (a_NX.square().sum(1)[:, None] + b_MX.square().sum(1) - 2 * a_NX @ b_MX.t()).clamp(min=0)


def bandwidth(a_NX: Tensor) -> float:
    """Median squared distance of two different examples: the usual width of a Gaussian kernel.

    Raises:
        InputError: fewer than two examples.
    """
    n = len(a_NX)
    if n < 2:
        raise InputError(
            f"data.functions: expected 2 or more for a discrepancy of distributions, got {n}; mend the recipe"
        )
    pairs = torch.triu_indices(n, n, 1)
    return max(float(squared_distances(a_NX, a_NX).detach()[pairs[0], pairs[1]].median()), 1e-30)


def conditional_discrepancy(
    inputs_NX: Tensor, outputs_NY: Tensor, other_inputs_MX: Tensor, other_outputs_MY: Tensor, damping: float = 1.0
) -> Tensor:
    """Squared Hilbert-Schmidt distance of the conditional embedding operators P(y | x) of two samples.

        tr(A K A L) + tr(A' K' A' L') - 2 tr(A L'' A' K''),  A = (K + N damping)^-1

    K and L are Gaussian kernels of inputs and outputs of the first sample, K' and L' of the second, '' between them;
    their widths are the median distances of the first. Liu et al. (2021); Goswami et al. (2022), equation 9.

    Args:
        inputs_NX, outputs_NY: a sample.
        other_inputs_MX, other_outputs_MY: another one.
        damping: of the inverses; 1 in the authors' code.

    >>> x, y = torch.rand(6, 2), torch.rand(6, 3)
    >>> abs(float(conditional_discrepancy(x, y, x, y))) < 1e-6
    True
    """
    wide_x, wide_y = bandwidth(inputs_NX), bandwidth(outputs_NY)

    def kernel(a: Tensor, b: Tensor, width: float) -> Tensor:
        return torch.exp(-squared_distances(a, b) / width)

    def regression(k_NN: Tensor) -> Tensor:
        return torch.linalg.inv(k_NN + len(k_NN) * damping * torch.eye(len(k_NN), dtype=k_NN.dtype, device=k_NN.device))

    k_NN, k_MM = kernel(inputs_NX, inputs_NX, wide_x), kernel(other_inputs_MX, other_inputs_MX, wide_x)
    l_NN, l_MM = kernel(outputs_NY, outputs_NY, wide_y), kernel(other_outputs_MY, other_outputs_MY, wide_y)
    k_MN, l_NM = kernel(other_inputs_MX, inputs_NX, wide_x), kernel(outputs_NY, other_outputs_MY, wide_y)
    a_NN, a_MM = regression(k_NN), regression(k_MM)
    own = torch.trace(a_NN @ l_NN @ a_NN @ k_NN)
    other = torch.trace(a_MM @ l_MM @ a_MM @ k_MM)
    return own + other - 2 * torch.trace(a_NN @ l_NM @ a_MM @ k_MN)
