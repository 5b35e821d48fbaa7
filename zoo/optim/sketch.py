"""What a few random sums of a Jacobian's rows say of J'J: a preconditioner, or the whole matrix of a Gauss-Newton step.

Count sketch: every row is in one sum, with a random sign, so that the sums' J'S'SJ is J'J in the mean. Clarkson and
Woodruff (2013); Pilanci and Wainwright (2017), where a step uses it in place of J'J.

Legend: P = parameters, K = sums.
"""

import torch
from torch import Tensor

from zoo.derivatives.jacobian_products import JacobianProducts


def sketched_directions(
    jacobian: JacobianProducts, root_P: Tensor, sums: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """(vectors V [P, K], values [K]) with D^-1/2 J'J D^-1/2 near V diag(values) V'; exact with as many sums as rows.

    Args:
        jacobian: J.
        root_P: D^1/2.
        sums: K, at most the rows of J.
        generator: on the CPU, of the sums and their signs.
    """
    sums_KP = jacobian.row_sums(min(sums, jacobian.shape[0]), generator) / root_P
    _, singular_K, vectors_KP = torch.linalg.svd(sums_KP, full_matrices=False)
    return vectors_KP.t(), singular_K.square()
