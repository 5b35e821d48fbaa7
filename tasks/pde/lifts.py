"""Kinks that diffusion or dispersion takes up, in closed form: what no smooth net can take over at t = 0."""

import math
from typing import Any

import torch
from scipy.special import fresnel
from torch import Tensor

from zoo.derivatives import Jet


def rounded_ramps(s: Any, variance: Any, highest: int) -> list[Any]:
    """[E max(s + sigma Z, 0)^n for n = 0 .. highest], Z normal: the heat equation's solutions from max(s, 0)^n.

        m_n = s m_{n-1} + (n - 1) sigma^2 m_{n-2},  m_0 = cdf(s / sigma),  m_1 = s m_0 + sigma pdf(s / sigma)

    Args:
        s: signed distance from the kink, a jet or tensor.
        variance: sigma^2 = 2 nu t.
        highest: n, 1 or more.

    >>> s = torch.tensor([-1.0, 0.0, 2.0])
    >>> rounded_ramps(s, torch.zeros(3), 2)[2].tolist()
    [0.0, 0.0, 4.0]
    """
    sigma = torch.sqrt(variance + 1e-30)  # a start 1e-26 before t = 0 is not seen, a division by zero is
    z = s * torch.reciprocal(sigma)
    ramps = [torch.special.ndtr(z)]
    ramps.append(s * ramps[0] + sigma * torch.exp(z * z * -0.5) * (1 / math.sqrt(2 * math.pi)))
    for n in range(2, highest + 1):
        ramps.append(s * ramps[-1] + variance * ramps[-2] * (n - 1.0))
    return ramps


def dispersed_ramp(s: Any, t: Any) -> tuple[Any, Any]:
    """(real, imaginary part) of the solution of m_t = i / 2 m_xx from the ramp max(s, 0).

        m = s (1 + C(z) + S(z) + i (S(z) - C(z))) / 2 + sqrt(i t / (2 pi)) exp(i s^2 / (2 t)),  z = s / sqrt(pi t)

    This is `rounded_ramps` at the variance i t; C and S are Fresnel's integrals.
    """
    root = torch.sqrt(t + 1e-30)
    z = s * torch.reciprocal(root) * (1 / math.sqrt(math.pi))
    phase = z * z * (math.pi / 2)
    wave, quarter = torch.cos(phase), torch.sin(phase)
    cosine, sine = fresnel_integrals(z)
    width = root * (0.5 / math.sqrt(math.pi))  # sqrt(i) = (1 + i) / sqrt(2)
    real = s * (cosine + sine + 1.0) * 0.5 + width * (wave - quarter)
    return real, s * (sine - cosine) * 0.5 + width * (wave + quarter)


def fresnel_integrals(z: Any) -> tuple[Any, Any]:
    """(C, S): the integrals from 0 to z of cos and of sin of pi y^2 / 2; of a tensor, or of a jet up to order three."""
    place = z[""] if isinstance(z, Jet) else z
    sine, cosine = (torch.from_numpy(one).to(place) for one in fresnel(place.detach().cpu().numpy()))
    if not isinstance(z, Jet):
        return cosine, sine
    phase, slope = place * place * (math.pi / 2), place * math.pi
    c, s = torch.cos(phase), torch.sin(phase)
    third_c, third_s = -math.pi * s - slope * slope * c, math.pi * c - slope * slope * s
    return _composed(z, [cosine, c, -slope * s, third_c]), _composed(z, [sine, s, slope * c, third_s])


def _composed(z: Jet, derivatives: list[Tensor]) -> Jet:
    """f(z) by Faa di Bruno's formula, from f's value and derivatives at z's value."""
    rows = [derivatives[0]]
    for by_order in z.space.chain_terms[1:]:
        terms = [
            derivatives[m] * weight * torch.stack([z.coefficients_CNF[place] for place in places]).prod(0)
            for m, polynomial in by_order.items()
            for weight, places in polynomial
        ]
        rows.append(torch.stack(terms).sum(0))
    return Jet(z.space, torch.stack(rows))
