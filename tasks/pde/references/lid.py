"""Stream functions that meet the conditions of a lid-driven cavity, with the singularities of its corners.

Suffixes: X, Y places along the sides of [0, 1]^2; the lid is y = 1.
"""

from typing import NamedTuple

import numpy as np


class Stream(NamedTuple):
    """A stream function's derivatives on a grid, each [X, Y]: u = y, v = -x, vorticity = -laplacian."""

    x: np.ndarray
    y: np.ndarray
    laplacian: np.ndarray

    def plus(self, other: "Stream") -> "Stream":
        """The sum."""
        return Stream(*(a + b for a, b in zip(self, other, strict=True)))


def corner(xi: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, ...]:
    """(psi, psi_xi, psi_eta, laplacian) of the creeping flow in a corner whose side eta = 0 slides away at speed 1.

        psi = b eta + angle (c xi + d eta);  psi_eta = -1 at eta = 0; no slip at xi = 0

    G. I. Taylor (1962), On scraping viscous fluid from a plane surface.
    """
    # In the corner itself, where the velocity jumps, it is the lid's.
    xi = np.maximum(xi, 1e-100)
    angle, square = np.arctan2(eta, xi), xi**2 + eta**2
    b, c, d = np.array([-(np.pi**2), 4, 2 * np.pi]) / (np.pi**2 - 4)
    line = c * xi + d * eta
    return (
        b * eta + angle * line,
        c * angle - line * eta / square,
        b + d * angle + line * xi / square,
        2 * (d * xi - c * eta) / square,
    )


def blend(s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A step from 0 at s = 0 to 1 at s = 1, flat to second order at both ends, and its first two derivatives."""
    return s**3 * (10 - 15 * s + 6 * s**2), 30 * s**2 * (1 - s) ** 2, 60 * s * (1 - s) * (1 - 2 * s)


def sliding_lid(x_X: np.ndarray, y_Y: np.ndarray) -> Stream:
    """Meets u = 1 on the lid and no slip elsewhere: creeping flow in both upper corners, blended into each other."""
    x, y = np.meshgrid(x_X, y_Y, indexing="ij")
    v, v_y, v_yy = blend(y)
    total = Stream(*(np.zeros_like(x) for _ in range(3)))
    for sign, xi in ((1, x), (-1, 1 - x)):
        w, w_xi, w_xixi = blend(1 - xi)
        w_xi = -w_xi
        psi, psi_xi, psi_eta, laplacian = corner(xi, 1 - y)
        total = total.plus(
            Stream(
                sign * v * (w_xi * psi + w * psi_xi),
                w * (v_y * psi - v * psi_eta),
                v * w * laplacian + 2 * (v * w_xi * psi_xi - v_y * w * psi_eta) + (v * w_xixi + v_yy * w) * psi,
            )
        )
    return total


def regular_lid(x_X: np.ndarray, y_Y: np.ndarray) -> Stream:
    """Meets u = 16 x^2 (1 - x)^2 on the lid and no slip elsewhere: psi = 16 x^2 (1 - x)^2 y^2 (y - 1)."""
    x, y = np.meshgrid(x_X, y_Y, indexing="ij")
    h, h_x, h_xx = 16 * x**2 * (1 - x) ** 2, 32 * x * (1 - x) * (1 - 2 * x), 32 * (1 - 6 * x + 6 * x**2)
    g, g_y, g_yy = y**3 - y**2, 3 * y**2 - 2 * y, 6 * y - 2
    return Stream(h_x * g, h * g_y, h_xx * g + h * g_yy)
