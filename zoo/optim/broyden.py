"""The self-scaled Broyden family of inverse-Hessian updates: which theta and tau, and the update in place.

B stands for the inverse of H. Every rule is a function of b = s'Bs / y's and h = y'Hy / y's (their product is at least
1) and of the number n of parameters. theta = 0 is BFGS, 1 is DFP; tau scales the old H down before the new pair enters.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Rule = Callable[[float, float, int], tuple[float, float]]  # (b, h, n) -> (theta, tau)


def bfgs(b: float, h: float, n: int) -> tuple[float, float]:
    """(0, 1): Broyden, Fletcher, Goldfarb and Shanno (1970)."""
    return 0.0, 1.0


def self_scaled_bfgs(b: float, h: float, n: int) -> tuple[float, float]:
    """(0, min(1, 1/b)): Oren and Luenberger's scaling, kept at or below one. Al-Baali (1998); Urban et al., eq. 11."""
    return 0.0, min(1.0, 1 / b)


def self_scaled_broyden(b: float, h: float, n: int) -> tuple[float, float]:
    """theta between its bounds theta_- and theta_+, and tau after it. Al-Baali and Khalfan (2005); Urban, Stefanou
    and Pons (2025), eqs. 13-23.

    a = bh - 1, c = sqrt(a / (1 + a)), rho_- = min(1, h (1 - c)), theta_- = (rho_- - 1) / a, theta_+ = 1 / rho_-,
    theta = max(theta_-, min(theta_+, (1 - b) / b)), sigma = 1 + a theta, rho = min(1, 1/b) and
    tau = min(rho sigma^(-1/(n-1)), sigma) for theta <= 0, else rho min(sigma^(-1/(n-1)), 1 / theta).
    """
    a = max(b * h - 1, 1e-300)
    one_minus_c = 1 / ((1 + a) * (1 + math.sqrt(a / (1 + a))))  # 1 - c without its cancellation
    rho_minus = min(1.0, h * one_minus_c)
    theta = max((rho_minus - 1) / a, min(1 / rho_minus, (1 - b) / b))
    sigma, rho = 1 + a * theta, min(1.0, 1 / b)
    root = sigma ** (-1 / (n - 1)) if n > 1 else 1.0
    return theta, (min(rho * root, sigma) if theta <= 0 else rho * min(root, 1 / theta))


def first_scale(b: float, h: float, theta: float) -> float:
    """tau of the first update, when H is the identity: its new eigenvalues then surround that along s.

    For BFGS it is y'y / y's, Nocedal and Wright (2006), eq. 6.20.
    """
    return h / (1 + max(b * h - 1, 0.0) * theta)


def update_inverse_(
    inverse_PP: Tensor, s_P: Tensor, image_P: Tensor, curvature: float, h: float, a: float, theta: float, tau: float
) -> None:
    """H <- (H - Hy y'H / y'Hy + phi y'Hy v v') / tau + s s' / y's, by one symmetric product of rank two.

    v = s / y's - Hy / y'Hy and phi = (1 - theta) / (1 + a theta).

    Args:
        inverse_PP: H, overwritten.
        s_P: change of the parameters.
        image_P: Hy, y the change of the gradient.
        curvature: y's > 0.
        h: y'Hy / y's.
        a: (s'Bs / y's) h - 1.
        theta: member of the family.
        tau: scale of the old H.
    """
    phi = (1 - theta) / (1 + a * theta)
    along, across, mixed = (phi * h / tau + 1) / curvature, (phi - 1) / (tau * h * curvature), -phi / (tau * curvature)
    pair_P2 = torch.stack([s_P, image_P], 1)
    weights_22 = pair_P2.new_tensor([[along, mixed], [mixed, across]])
    inverse_PP.addmm_(pair_P2 @ weights_22, pair_P2.t(), beta=1 / tau)
