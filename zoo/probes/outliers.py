"""Examples whose gradients stand out: wrong labels, broken inputs, and what is simply hard.

Legend: N = examples.
"""

import torch
from torch import Tensor

from zoo.errors import InputError


def robust_scores(norms_N: Tensor) -> Tensor:
    """[N], how far the logarithm of each norm lies from the median, in standard deviations of a normal distribution.

        0.6745 (x - median x) / median |x - median x|,  x = log norm

    Iglewicz and Hoaglin (1993), "modified z-score": the outliers themselves hardly move it. Norms of gradients spread
    over orders of magnitude, hence the logarithm.

    Raises:
        InputError: negative or non-finite norms, or fewer than three.

    >>> robust_scores(torch.tensor([1.0, 2.0, 4.0, 8.0, 4096.0]))[-1].item()
    6.744999885559082
    """
    if norms_N.dim() != 1 or len(norms_N) < 3 or not bool(((norms_N >= 0) & norms_N.isfinite()).all()):
        raise InputError(
            f"outliers: expected three finite norms or more in one row, got {list(norms_N.shape)} with values from "
            f"{norms_N.min():.3g} to {norms_N.max():.3g}; leave broken examples out"
        )
    x_N = norms_N.clamp_min(torch.finfo(norms_N.dtype).tiny).log()
    away_N = x_N - x_N.quantile(0.5)
    spread = away_N.abs().quantile(0.5)
    return 0.6745 * away_N / spread.clamp_min(torch.finfo(x_N.dtype).eps)


def outliers(norms_N: Tensor, threshold: float = 3.5) -> list[tuple[int, float]]:
    """(example, score) of those whose gradient is far larger than the others', the largest first.

    Mislabelled examples are among them once a net has learnt the others: a wrong label is the one it cannot fit. Norms
    over several batches or epochs, averaged, tell more than those of one moment (Paul et al. 2021, GraNd).

    Args:
        norms_N: of every example's gradient (`whole_norms`), or means of them.
        threshold: score from which an example stands out; 3.5 is the usual one.

    >>> outliers(torch.tensor([1.0, 2.0, 4.0, 4096.0, 8.0]))
    [(3, 6.744999885559082)]
    """
    scores_N = robust_scores(norms_N)
    order = torch.argsort(scores_N, descending=True, stable=True)
    return [(i, scores_N[i].item()) for i in order.tolist() if scores_N[i] > threshold]
