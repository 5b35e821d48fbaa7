"""Reference solvers of ordinary differential equations and of many reaction-diffusion problems at once."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from tasks.pde.references import reaction_diffusion, robertson, stiff, van_der_pol
from tasks.pde.references.clamped import gauss
from tasks.pde.references.reaction_diffusion import laplacian_modes
from zoo.errors import InputError


def times(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_modes_of_the_laplacian_are_sines():
    nodes, weights = gauss(40)
    decay, at_nodes, at_x = laplacian_modes(24, nodes, weights, np.array([0.0, 0.3, 1.0]))
    np.testing.assert_allclose(np.sort(decay)[:5], (np.pi * np.arange(1, 6)) ** 2, rtol=1e-12)
    np.testing.assert_allclose(at_nodes.T * weights @ at_nodes, np.eye(24), atol=1e-11)
    lowest = abs(at_x[:, np.argmin(decay)])
    np.testing.assert_allclose(lowest, [0, math.sqrt(2) * math.sin(0.3 * math.pi), 0], atol=1e-12)


def test_diffusion_alone_is_the_sum_of_its_modes_for_every_source():
    # f = 1 does not vanish at the ends, where u does.
    x, t, d = torch.linspace(0, 1, 11, dtype=torch.float64), times(0.0, 0.1, 1.0), 0.01
    u, error = reaction_diffusion(lambda y: np.stack([np.sin(3 * np.pi * y), np.ones_like(y)]), t, x, d, 0.0)
    decay = d * (3 * math.pi) ** 2
    expected = (1 - np.exp(-decay * t.numpy()))[:, None] / decay * np.sin(3 * np.pi * x.numpy())
    assert error < 1e-8
    np.testing.assert_allclose(u[0], expected, atol=1e-10)
    k = np.arange(1, 20001, 2) * np.pi
    amplitudes = 4 / k * (1 - np.exp(-d * np.outer(t, k**2))) / (d * k**2)
    np.testing.assert_allclose(u[1], amplitudes @ np.sin(np.outer(k, x)), atol=1e-8)


def test_reaction_and_diffusion_solve_their_equation_and_sources_do_not_meet():
    h, k, d, rate = 1e-2, 1e-2, 0.02, 0.8
    t, x = (
        times(0.0, 0.5 - 2 * h, 0.5 - h, 0.5, 0.5 + h, 0.5 + 2 * h),
        0.4 + k * torch.arange(-2, 3, dtype=torch.float64),
    )

    def sources(y):
        return np.stack([np.cos(2 * y), 1 + y, np.exp(-y)])

    u, error = reaction_diffusion(sources, t, x, d, rate)
    alone, _ = reaction_diffusion(lambda y: sources(y)[1:2], t, x, d, rate)
    torch.testing.assert_close(u[1:2], alone, rtol=0, atol=1e-12)
    assert error < 1e-7
    u = u.numpy()
    u_t = (u[:, 1, 2] - 8 * u[:, 2, 2] + 8 * u[:, 4, 2] - u[:, 5, 2]) / (12 * h)
    u_xx = (-u[:, 3, 0] + 16 * u[:, 3, 1] - 30 * u[:, 3, 2] + 16 * u[:, 3, 3] - u[:, 3, 4]) / (12 * k * k)
    np.testing.assert_allclose(u_t, d * u_xx + rate * u[:, 3, 2] ** 2 + sources(np.array([0.4]))[:, 0], atol=1e-6)


def test_robertsons_reactions_keep_their_mass_and_reach_the_published_values():
    # Hairer and Wanner's test set, t = 40: (0.7158270688, 9.185534764e-6, 0.2841637457).
    y, error = robertson(times(0.0, 0.4, 40.0))
    assert error < 1e-9
    np.testing.assert_allclose(y.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(y[2], [0.7158270688, 9.185534764e-6, 0.2841637457], rtol=1e-8)


def test_van_der_pols_oscillator_is_that_of_an_explicit_rule():
    y, error = van_der_pol(times(0.0, 1.0, 3.0), 2.0)
    explicit = solve_ivp(
        lambda t, y: [y[1], 2 * (1 - y[0] ** 2) * y[1] - y[0]], (0, 3), [2, 0], "DOP853", [1, 3], rtol=1e-13, atol=1e-14
    )
    assert error < 1e-9
    np.testing.assert_allclose(y[1:], explicit.y.T, atol=1e-10)


def test_a_system_that_blows_up_is_refused():
    with pytest.raises(InputError, match="rate: expected a system that can be integrated"):
        stiff(lambda t, y: y**2, np.ones(1), times(0.0, 2.0), lambda t, y: 2 * y[None], tolerance=1e-6)
