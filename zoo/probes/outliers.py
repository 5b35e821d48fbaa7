"""Examples whose gradients stand out: wrong labels, broken inputs, and what is simply hard.

Legend: N = examples.
"""

import torch
from torch import Tensor

from zoo.errors import InputError


def outlier_scores(norms_N: Tensor) -> Tensor:
    """[N], how many interquartile ranges each norm lies above the third quartile; below 0 for three in four.

    Tukey (1977): "outside" from 1.5 on, "far out" from 3 on. Quartiles are not moved by the outliers themselves.

    Raises:
        InputError: negative or non-finite norms, or fewer than four.

    >>> outlier_scores(torch.tensor([1.0, 2.0, 3.0, 4.0, 14.0])).tolist()
    [-1.5, -1.0, -0.5, 0.0, 5.0]
    """
    if norms_N.dim() != 1 or len(norms_N) < 4 or not bool(((norms_N >= 0) & norms_N.isfinite()).all()):
        raise InputError(
            f"outliers: expected four finite norms or more in one row, got {list(norms_N.shape)} with values from "
            f"{norms_N.min():.3g} to {norms_N.max():.3g}; leave broken examples out"
        )
    first, third = norms_N.quantile(norms_N.new_tensor([0.25, 0.75]))
    return (norms_N - third) / (third - first).clamp_min(torch.finfo(norms_N.dtype).tiny)


def outliers(norms_N: Tensor, threshold: float = 3.0) -> list[tuple[int, float]]:
    """(example, score) of those whose gradient is far larger than the others', the largest first.

    Mislabelled examples are among them once a net has learnt the others: a wrong label is the one it cannot fit. Means
    over several epochs tell more than one moment (Paul et al. 2021, GraNd).

    Args:
        norms_N: of every example's gradient (`whole_norms`), or means of them.
        threshold: score from which an example stands out; see `outlier_scores`.

    >>> outliers(torch.tensor([1.0, 2.0, 14.0, 3.0, 4.0]))
    [(2, 5.0)]
    """
    scores_N = outlier_scores(norms_N)
    order = torch.argsort(scores_N, descending=True, stable=True)
    return [(i, scores_N[i].item()) for i in order.tolist() if scores_N[i] > threshold]
