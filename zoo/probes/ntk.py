"""Empirical neural tangent kernel, and the weights of loss terms made of it. Wang, Yu and Perdikaris (2022).

Legend: R residuals, P parameters.
"""

from collections.abc import Mapping

import torch
from torch import Tensor


def ntk(jacobian_RP: Tensor, other_SP: Tensor | None = None) -> Tensor:
    """K = J J' [R, R], or J J2' [R, S] between two sets of residuals.

    >>> ntk(torch.tensor([[1.0, 0.0], [1.0, 1.0]])).tolist()
    [[1.0, 1.0], [1.0, 2.0]]
    """
    return jacobian_RP @ (jacobian_RP if other_SP is None else other_SP).t()


def ntk_trace(jacobian_RP: Tensor) -> Tensor:
    """tr J J', the sum of the squares of J: how fast the residuals of a term go down together.

    >>> ntk_trace(torch.tensor([[1.0, 0.0], [1.0, 1.0]])).item()
    3.0
    """
    return torch.linalg.vector_norm(jacobian_RP).square()


def ntk_weights(traces: Mapping[str, Tensor], rows: Mapping[str, int] | None = None) -> dict[str, Tensor]:
    """lambda_i = sum_j tr K_j / tr K_i, so that every term goes down at the same mean rate.

    Args:
        traces: of the kernel of every term.
        rows: residuals of every term; with them traces are means over a term's residuals, as for losses that are means.

    >>> {name: w.item() for name, w in ntk_weights({"a": torch.tensor(1.0), "b": torch.tensor(3.0)}).items()}
    {'a': 4.0, 'b': 1.3333333730697632}
    """
    means = {name: trace / (rows[name] if rows else 1) for name, trace in traces.items()}
    total = torch.stack(list(means.values())).sum()
    return {name: total / mean for name, mean in means.items()}
