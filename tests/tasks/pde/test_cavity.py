"""The lid-driven cavity against published figures, its own equation and its own refinement."""

import numpy as np
import pytest
import torch

from tasks.pde.references import cavity, regular_lid, sliding_lid
from tasks.pde.references.cavity import stream, stream_coefficients
from tasks.pde.references.clamped import clamped, gauss
from zoo.errors import InputError

# Marchi, Suero and Araki (2009): u on x = 0.5 at y = 1/16, ..., 15/16 for Re = 100, by extrapolation over grids.
MARCHI = "-0.041974991 -0.077125399 -0.109816214 -0.141930064 -0.172712391 -0.198470859 -0.212962392 -0.209149142 -0.182080595 -0.131256301 -0.060245594 0.027874448 0.140425325 0.310557090 0.597466694"
# Ghia, Ghia and Shin (1982), tables I and II: u along x = 0.5 and v along y = 0.5.
GHIA_Y = "0.0547 0.0625 0.0703 0.1016 0.1719 0.2813 0.4531 0.5 0.6172 0.7344 0.8516 0.9531 0.9609 0.9688 0.9766"
GHIA_U = {
    100: "-0.03717 -0.04192 -0.04775 -0.06434 -0.10150 -0.15662 -0.21090 -0.20581 -0.13641 0.00332 0.23151 0.68717 0.73722 0.78871 0.84123",
    400: "-0.08186 -0.09266 -0.10338 -0.14612 -0.24299 -0.32726 -0.17119 -0.11477 0.02135 0.16256 0.29093 0.55892 0.61756 0.68439 0.75837",
}
GHIA_X = "0.0625 0.0703 0.0781 0.0938 0.1563 0.2266 0.2344 0.5 0.8047 0.8594 0.9453 0.9531 0.9609 0.9688"
# Without the place 0.9063, which is misprinted at Re = 400.
GHIA_V = {
    100: "0.09233 0.10091 0.10890 0.12317 0.16077 0.17507 0.17527 0.05454 -0.24533 -0.22445 -0.10313 -0.08864 -0.07391 -0.05906",
    400: "0.18360 0.19713 0.20920 0.22965 0.28124 0.30203 0.30174 0.05186 -0.38598 -0.44993 -0.22847 -0.19254 -0.15663 -0.12146",
}


def places(words):
    return torch.tensor([float(word) for word in words.split()], dtype=torch.float64)


def test_clamped_polynomials_vanish_with_their_slopes_and_differentiate():
    ends = clamped(12, np.array([0.0, 1.0]))
    assert abs(ends.zeroth).max() < 1e-15 and abs(ends.first).max() < 1e-12
    x, h = np.linspace(0.1, 0.9, 7), 1e-5
    left, at, right = (clamped(12, x + shift) for shift in (-h, 0, h))
    np.testing.assert_allclose((right.zeroth - left.zeroth) / (2 * h), at.first, atol=1e-8)
    np.testing.assert_allclose((right.first - left.first) / (2 * h), at.second, atol=1e-6)
    nodes, weights = gauss(24)
    second = clamped(12, nodes).second
    np.testing.assert_allclose(second.T * weights @ second, np.eye(12), atol=1e-12)


@pytest.mark.parametrize(
    ("lid", "speed"), [(sliding_lid, lambda x: 1 + 0 * x), (regular_lid, lambda x: 16 * (x - x * x) ** 2)]
)
def test_lids_meet_their_conditions_and_are_derivatives_of_one_function(lid, speed):
    x, h = np.linspace(0, 1, 11), 1e-5
    walls = lid(x, x)
    np.testing.assert_allclose(walls.y[:, -1], speed(x), atol=1e-14)
    np.testing.assert_allclose(walls.x[:, -1], 0, atol=1e-14)
    for wall in (walls.x[0, :-1], walls.x[-1, :-1], walls.x[:, 0], walls.y[0, :-1], walls.y[-1, :-1], walls.y[:, 0]):
        np.testing.assert_allclose(wall, 0, atol=1e-14)
    inside = x[1:-1]
    x_ahead, x_behind = lid(inside + h, inside), lid(inside - h, inside)
    y_ahead, y_behind = lid(inside, inside + h), lid(inside, inside - h)
    np.testing.assert_allclose(y_ahead.x - y_behind.x, x_ahead.y - x_behind.y, atol=1e-13)
    laplacian = (x_ahead.x - x_behind.x + y_ahead.y - y_behind.y) / (2 * h)
    np.testing.assert_allclose(laplacian, lid(inside, inside).laplacian, atol=1e-6)


@pytest.mark.parametrize(("reynolds", "u_off", "v_off"), [(100, 6e-3, 1e-2), (400, 3e-3, 7e-3)])
def test_cavity_is_ghias(reynolds, u_off, v_off):
    # Theirs is of second order on 129 x 129, and that far off.
    flow, error = cavity(places(GHIA_X + " 0.5"), places(GHIA_Y + " 0.5"), reynolds)
    assert error < 1e-5
    assert abs(flow[-1, :-1, 0] - places(GHIA_U[reynolds])).max() < u_off
    assert abs(flow[:-1, -1, 1] - places(GHIA_V[reynolds])).max() < v_off


def test_cavity_is_marchis_to_eight_digits():
    flow, error = cavity(places("0.5"), torch.arange(1, 16, dtype=torch.float64) / 16, 100)
    assert error < 1e-7
    np.testing.assert_allclose(flow[0, :, 0], places(MARCHI), atol=3e-8)


@pytest.mark.slow
def test_cavity_is_botella_and_peyrets():
    # Botella and Peyret (1998), Re = 1000, Chebyshev with 160 modes: u in the centre and its least value on x = 0.5.
    u, error = cavity(places("0.5"), places("0.5 0.1717"), 1000)
    assert error < 1e-5
    np.testing.assert_allclose(u[0, :, 0], [-0.0620561, -0.3885698], atol=3e-7)


def test_cavity_solves_the_vorticity_equation():
    # Finite differences of order four in the middle of a patch away from the corners.
    h, reynolds = 2.5e-3, 100
    x, y = (c + h * torch.arange(-8, 9, dtype=torch.float64) for c in (0.6, 0.7))
    flow, _ = cavity(x, y, reynolds)
    u, v = flow.unbind(-1)

    def slope(values, axis):
        """Order four; wrong for two places at each end of the axis."""
        s = [values.roll(-shift, axis) for shift in (-2, -1, 1, 2)]
        return (s[0] - 8 * s[1] + 8 * s[2] - s[3]) / (12 * h)

    vorticity = slope(v, 0) - slope(u, 1)
    convection = u * slope(vorticity, 0) + v * slope(vorticity, 1)
    diffusion = (slope(slope(vorticity, 0), 0) + slope(slope(vorticity, 1), 1)) / reynolds
    assert abs(slope(u, 0) + slope(v, 1))[8, 8] < 1e-6
    # A fourth derivative of the stream function; of much lower order than the velocity.
    assert abs(convection - diffusion)[8, 8] < 3e-3 * abs(convection[8, 8]) and abs(convection[8, 8]) > 0.1


def refinement(lid, counts, finest):
    x = np.linspace(0, 1, 33)

    def flow(count):
        c = stream_coefficients(count, 100, lid, np.zeros((1, 1)))
        found = stream(c, clamped(count, x), clamped(count, x))
        return np.stack([found.y, found.x])

    truth = flow(finest)
    return [np.linalg.norm(flow(count) - truth) / np.linalg.norm(truth) for count in counts]


def test_singularities_leave_a_high_order_and_a_regular_lid_converges_faster():
    errors = refinement(sliding_lid, [16, 24, 32], 72)
    assert np.polyfit(np.log([16, 24, 32]), np.log(errors), 1)[0] < -3.5
    assert refinement(regular_lid, [32], 48)[0] < 1e-7


def test_a_reynolds_number_that_newton_cannot_reach_is_refused():
    with pytest.raises(InputError, match="reynolds: expected"):
        stream_coefficients(8, 1e5, sliding_lid, np.zeros((1, 1)))
