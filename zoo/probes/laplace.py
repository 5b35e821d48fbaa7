"""Error bars from the Gauss-Newton matrix: the Laplace approximation of a least-squares fit.

Legend: R residuals, P parameters, M predictions.
"""

import torch
from torch import Tensor

from zoo.errors import InputError


def residual_variance(residuals_R: Tensor, parameters: float) -> Tensor:
    """sigma^2 = r'r / (R - P), unbiased for a linear model with P parameters that are determined.

    Raises:
        InputError: no more residuals than parameters.

    >>> residual_variance(torch.tensor([1.0, -1.0, 1.0, -1.0]), 2).item()
    2.0
    """
    if len(residuals_R) <= parameters:
        raise InputError(
            f"residual_variance: expected more residuals than parameters, got {len(residuals_R)} and {parameters}; "
            "give the noise by hand"
        )
    return residuals_R.square().sum() / (len(residuals_R) - parameters)


def parameter_covariance(jacobian_RP: Tensor, variance: float | Tensor, damping: float = 0.0) -> Tensor:
    """sigma^2 (J'J + damping I)^-1 [P, P]; damping = sigma^2 / (prior variance): the posterior under a Gaussian prior.

    By a QR decomposition of J with the damping beneath, so that the condition number is not squared.

    Args:
        jacobian_RP: of the residuals, in units of the data, at the best parameters.
        variance: of the data's noise, sigma^2.
        damping: 0 for the textbook's covariance.

    Raises:
        InputError: parameters that the residuals do not determine, without damping.

    >>> parameter_covariance(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), 4.0).tolist()
    [[4.0, 0.0], [0.0, 1.0]]
    """
    inverse_PP = _inverse_factor(jacobian_RP, damping)
    return variance * inverse_PP @ inverse_PP.t()


def predictive_variance(
    jacobian_MP: Tensor, jacobian_RP: Tensor, variance: float | Tensor, damping: float = 0.0
) -> Tensor:
    """[M], sigma^2 j (J'J + damping I)^-1 j' of the predictions with Jacobian rows j; the noise itself is not in it.

    Args:
        jacobian_MP: of the predictions.
        jacobian_RP: of the residuals.
        variance: of the data's noise, sigma^2.
        damping: as in `parameter_covariance`.

    Raises:
        InputError: as `parameter_covariance`.

    >>> predictive_variance(torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]]), 4.0).tolist()
    [5.0]
    """
    return variance * (jacobian_MP @ _inverse_factor(jacobian_RP, damping)).square().sum(1)


def _inverse_factor(jacobian_RP: Tensor, damping: float) -> Tensor:
    # (J'J + damping I)^-1 = U U' with U = R^-1 from the QR decomposition.
    width = jacobian_RP.shape[1]
    eye_PP = torch.eye(width, dtype=jacobian_RP.dtype, device=jacobian_RP.device)
    stacked = torch.cat([jacobian_RP, damping**0.5 * eye_PP]) if damping > 0 else jacobian_RP
    upper_PP = torch.linalg.qr(stacked, mode="r").R
    pivots = upper_PP.diagonal().abs()
    tiny = max(stacked.shape) * torch.finfo(stacked.dtype).eps
    if damping < 0 or len(stacked) < width or bool(pivots.min() <= tiny * pivots.max()):
        raise InputError(
            f"covariance: expected residuals that determine all {width} parameters, or damping > 0, got neither; add "
            "damping"
        )
    return torch.linalg.solve_triangular(upper_PP, eye_PP, upper=True)
