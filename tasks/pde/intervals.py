"""Confidence intervals of constants that were found by least squares together with a net.

The net and the constants minimise |d(w)|^2 + |e(w)|^2 with noise in the rows d (measurements) and none in the rows e
(the equation, the harder a constraint the larger its weight). To first order noise n moves w by (J'J)^-1 J_d' n, J the
Jacobian of both and J_d its rows of d, so that

    cov(w) = sigma^2 (J'J)^-1 J_d'J_d (J'J)^-1,   E |d|^2 = sigma^2 |I - J_d (J'J)^-1 J_d'|_F^2;

without rows e that is the textbook's sigma^2 (J'J)^-1 and its R - P degrees of freedom.

Suffixes: R rows with noise, S rows without, P parameters, C constants sought.
"""

from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.derivatives import residual_jacobian

RIDGE = 1e-9  # of a column's length: parameters that nothing depends on must not take part in the fit


class Estimate(NamedTuple):
    """Covariance [C, C] of the constants, standard deviation of the noise of d, degrees of freedom left in d."""

    covariance_CC: Tensor
    noise: float
    freedom: float


def estimate_of(d_R: Tensor, d_RP: Tensor, e_SP: Tensor, sought: list[int]) -> Estimate:
    """See the file's head; `sought` are the constants' columns.

    By QR with these columns last: only the last corner of R has to be inverted, and J'J is never formed.
    """
    width, count = d_RP.shape[1], len(sought)
    order = [p for p in range(width) if p not in set(sought)] + sought
    rows = torch.cat([d_RP, e_SP])[:, order].double()
    length_P = rows.norm(dim=0).clamp(min=1e-300)
    ridge_PP = RIDGE * torch.eye(width, dtype=rows.dtype)[: width - count]
    q, r_PP = torch.linalg.qr(torch.cat([rows / length_P, ridge_PP]))
    q_RP = q[: len(d_R)]
    weights_PP = q_RP.t() @ q_RP
    freedom = len(d_R) - 2 * float(weights_PP.trace()) + float(weights_PP.square().sum())
    variance = float(d_R.double().square().sum()) / max(freedom, 1e-300)
    corner_CC = torch.linalg.inv(r_PP[-count:, -count:]) / length_P[-count:, None]
    return Estimate(variance * (corner_CC @ weights_PP[-count:, -count:] @ corner_CC.t()), variance**0.5, freedom)


def constants_estimate(
    rows: dict[str, Callable[[], Tensor]], parameters: list[Tensor], constants: list[Tensor]
) -> Estimate:
    """The estimate of scalar parameters, from the rows of an objective by term; those of "data" alone have noise."""
    pairs = {name: residual_jacobian(block, parameters) for name, block in rows.items()}
    data_NK, data_RP = pairs.pop("data")
    held = [jacobian_SP for _, jacobian_SP in pairs.values()] or [data_RP[:0]]
    ends = torch.tensor([p.numel() for p in parameters]).cumsum(0).tolist()
    columns = {id(p): end - 1 for p, end in zip(parameters, ends, strict=True)}
    return estimate_of(data_NK.flatten(), data_RP, torch.cat(held), [columns[id(p)] for p in constants])


def half_widths(estimate: Estimate, level: float = 0.95) -> Tensor:
    """[C]: what to add and subtract for an interval that covers the truth with probability `level`.

    By Student's t, whose quantile is expanded in 1 / freedom (Abramowitz and Stegun 26.7.5).

    >>> round(float(half_widths(Estimate(torch.tensor([[1.0]]), 1.0, 18.0))), 2)
    2.1
    """
    z, f = NormalDist().inv_cdf((1 + level) / 2), estimate.freedom
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return (z + first / f + second / f**2) * estimate.covariance_CC.diagonal().sqrt()
