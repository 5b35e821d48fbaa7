"""Solutions by other means than a net: exact solutions, orders of convergence, published files."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.pde.references import (
    allen_cahn,
    axes_of,
    cole_hopf,
    fisher,
    grid_of,
    korteweg_de_vries,
    kuramoto_sivashinsky,
    schroedinger,
)
from tasks.pde.references.allen_cahn import ALLEN_CAHN, allen_cahn_start
from tasks.pde.references.certificate import certified, self_convergence
from tasks.pde.references.etdrk4 import coefficients, etdrk4
from tasks.pde.references.fisher import fisher_equation, fisher_start
from tasks.pde.references.korteweg_de_vries import KORTEWEG_DE_VRIES, korteweg_de_vries_start
from tasks.pde.references.kuramoto_sivashinsky import kuramoto_sivashinsky_start
from tasks.pde.references.periodic import Semilinear, evolved, series, spectrum
from tasks.pde.references.schroedinger import SCHROEDINGER, schroedinger_start
from tasks.pde.references.split_step import split_step
from zoo.errors import InputError

BOX = {"t": (0.0, 1.0), "x": (-1.0, 1.0)}
SHARED = [folder / "shared" / "data" / "pde" for folder in Path(__file__).resolve().parents]


def difference(found, expected) -> float:
    """Relative l2 difference."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def order_of(steps, errors) -> float:
    """Slope of log error over log step."""
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


def test_grid_is_the_product_of_its_axes():
    points, shape = grid_of(BOX, (3, 5))
    t, x = axes_of(BOX, (3, 5))
    assert points.dtype == torch.float64 and points.view(*shape, 2)[1, 3].tolist() == [t[1], x[3]] == [0.5, 0.5]


def test_cole_hopf_is_certified_and_solves_the_equation():
    t = torch.tensor([0.1, 0.5, 1.0, 0.0], dtype=torch.float64)
    x = torch.tensor([0.02, -0.4, 0.9, 0.3], dtype=torch.float64)
    u, error = cole_hopf(t, x, 0.01 / math.pi)
    assert error <= 1e-12 and float(u[3]) == pytest.approx(-math.sin(0.3 * math.pi), abs=1e-12)

    def at(t, x):
        return cole_hopf(*(torch.tensor([v], dtype=torch.float64) for v in (t, x)), 0.05)[0][0]

    h = 1e-3
    u_t = (at(0.5 + h, 0.3) - at(0.5 - h, 0.3)) / (2 * h)
    u_x = (at(0.5, 0.3 + h) - at(0.5, 0.3 - h)) / (2 * h)
    u_xx = (at(0.5, 0.3 + h) - 2 * at(0.5, 0.3) + at(0.5, 0.3 - h)) / h**2
    assert abs(float(u_t + at(0.5, 0.3) * u_x - 0.05 * u_xx)) < 1e-4


@pytest.mark.parametrize("nu", [1.0, 0.1, 0.01])
def test_cole_hopf_is_the_quotient_of_the_series_of_its_heat_equation(nu):
    # phi = exp(-int u / (2 nu)) solves phi_t = nu phi_xx; u = -2 nu phi_x / phi.
    x = torch.linspace(-1, 1, 21, dtype=torch.float64)
    t = torch.full_like(x, 0.3)
    y = 2 * np.arange(4096) / 4096
    modes = spectrum(np.exp(-(1 + np.cos(np.pi * y)) / (2 * np.pi * nu)))[:1024]
    k = np.pi * np.arange(1024)
    decayed = modes.real * np.exp(-nu * k**2 * 0.3) * np.where(k == 0, 1, 2)
    phi = np.cos(np.outer(x, k)) @ decayed
    phi_x = -np.sin(np.outer(x, k)) @ (k * decayed)
    u, error = cole_hopf(t, x, nu)
    assert error < 1e-12
    # The series cancels to exp(-1 / (pi nu)) in places: compare where it does not.
    good = phi > 1e-6 * phi.max()
    np.testing.assert_allclose(u.numpy()[good], -2 * nu * phi_x[good] / phi[good], atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("nu", [3e-4, 3e-3, 3.0])
def test_cole_hopf_has_nodes_wherever_the_integrand_is(nu):
    # The same quadrature with needlessly many nodes, far out.
    x, z = np.linspace(-1, 1, 9), np.linspace(-80, 80, 40001)
    y = x[:, None] - z * math.sqrt(4 * nu * 0.9)
    exponent = -np.cos(np.pi * y) / (2 * np.pi * nu) - z**2
    weight = np.exp(exponent - exponent.max(1, keepdims=True))
    u, _ = cole_hopf(torch.full((9,), 0.9, dtype=torch.float64), torch.from_numpy(x), nu)
    np.testing.assert_allclose(u.numpy(), -(np.sin(np.pi * y) * weight).sum(1) / weight.sum(1), atol=1e-13)


def test_coefficients_of_a_step_are_their_power_series_near_zero_and_their_formulas_far_off():
    c = coefficients(np.array([1e-7, -20.0]), 1.0)
    assert c.stage[0] == pytest.approx(0.5 + 1e-7 / 8, abs=1e-14)
    assert c.first[0] == pytest.approx(1 / 6 + 1e-7 / 6, abs=1e-14)
    assert c.middle[0] == pytest.approx(1 / 3 + 1e-7 / 6, abs=1e-14)
    assert c.last[0] == pytest.approx(1 / 6, abs=1e-14)
    z = -20.0
    assert c.first[1] == pytest.approx((-4 - z + math.exp(z) * (4 - 3 * z + z * z)) / z**3, rel=1e-13)
    assert c.last[1] == pytest.approx((-4 - 3 * z - z * z + math.exp(z) * (4 - z)) / z**3, rel=1e-13)


@pytest.mark.parametrize("linear", [-50.0, 3.0j], ids=["stiff", "oscillating"])
def test_etdrk4_is_of_order_four(linear):
    # u = 1 / (1 + t), whatever is split off as linear.
    steps, errors = [0.02, 0.01, 0.005], []
    for step in steps:
        (u,) = etdrk4(np.array([linear]), lambda u: -(u**2) - linear * u, np.array([1.0 + 0j]), np.array([1.0]), step)
        errors.append(abs(u[0] - 0.5))
    assert order_of(steps, errors) == pytest.approx(4, abs=0.4)


def test_etdrk4_refuses_times_that_do_not_increase():
    with pytest.raises(InputError, match="times: expected them to increase"):
        list(etdrk4(np.zeros(1), lambda u: u, np.ones(1), np.array([0.0, 0.2, 0.1]), 0.1))


@pytest.mark.parametrize("size", [16, 17])
@pytest.mark.parametrize("phase", [1.0, 1.0 + 0.5j], ids=["real", "complex"])
def test_series_are_trigonometric_polynomials_at_any_place(size, phase):
    equation = Semilinear(-1.0, 3.0, np.zeros_like, np.zeros_like)

    def polynomial(x):
        y = 2 * math.pi * (x + 0.3) / 3
        return phase * (np.cos(3 * y) + 0.2 * np.sin(7 * y) - 0.7)

    x = np.array([-1.0, 0.123, 1.7, 5.0])
    found = series(spectrum(polynomial(equation.places(size)))[None], x, equation, size)
    np.testing.assert_allclose(found[0], polynomial(x), atol=1e-13)


def soliton(x, t, speed=2.0, wide=0.0025):
    """Of u_t + u u_x + wide u_xxx = 0."""
    return 3 * speed / np.cosh(0.5 * math.sqrt(speed / wide) * (x - speed * t)) ** 2


def test_a_soliton_of_korteweg_and_de_vries_keeps_its_shape_and_the_order_is_four():
    steps, errors = [1e-3, 5e-4, 2.5e-4], []
    x, y = KORTEWEG_DE_VRIES.places(256), np.linspace(-0.8, 0.9, 33)
    for step in steps:
        states = evolved(KORTEWEG_DE_VRIES, soliton(x, -0.1), np.array([0.0, 0.2]), step)
        found = series(states, y, KORTEWEG_DE_VRIES, 256)[1]
        errors.append(difference(found, soliton(y, 0.1)))
    assert order_of(steps, errors) == pytest.approx(4, abs=0.4)


def test_split_steps_keep_a_travelling_soliton_and_are_of_order_four():
    # h = a sech(a (x - v t)) exp(i (v x + (a^2 - v^2) t / 2))
    steps, errors = [0.02, 0.01, 0.005], []
    x = -10 + 20 * np.arange(256) / 256
    a, v = 2.0, 2 * math.pi * 3 / 20

    def h(t):
        return a / np.cosh(a * (x - v * t)) * np.exp(1j * (v * x + (a * a - v * v) * t / 2))

    for step in steps:
        (state,) = split_step(spectrum(h(0.0)), np.array([0.5]), step, 20.0)
        errors.append(difference(np.fft.ifft(state, norm="forward"), h(0.5)))
    assert order_of(steps, errors) == pytest.approx(4, abs=0.4) and errors[-1] < 1e-4


def test_split_steps_and_etdrk4_agree_on_a_smooth_start():
    x = SCHROEDINGER.places(64)
    start = np.exp(0.2j * np.cos(2 * math.pi * x / 10)) * (1 + 0.5 * np.sin(2 * math.pi * x / 10))
    times = np.array([0.5, 1.0])
    split = split_step(spectrum(start), times, 1e-3, 10.0)
    assert difference(evolved(SCHROEDINGER, start, times, 1e-3), split) < 1e-9


PI = math.pi
# Reference, start, the last time, the period, the bound of its certificate, u_t of (u and its first four x-derivatives).
REFERENCES = [
    (allen_cahn, allen_cahn_start, 0.3, (-1, 1), 1e-9, lambda u, x1, x2, x3, x4: 1e-4 * x2 + 5 * u - 5 * u**3),
    (korteweg_de_vries, korteweg_de_vries_start, 0.2, (-1, 1), 1e-10, lambda u, x1, x2, x3, x4: -u * x1 - 0.0025 * x3),
    (schroedinger, schroedinger_start, 0.2, (-5, 5), 6e-8, lambda u, x1, x2, x3, x4: 0.5j * x2 + 1j * abs(u) ** 2 * u),
    (
        kuramoto_sivashinsky,
        kuramoto_sivashinsky_start,
        0.2,
        (-1, 1),
        1e-10,
        lambda u, x1, x2, x3, x4: -5 * u * x1 - 0.5 * x2 - 0.005 * x4,
    ),
    (fisher, fisher_start, 0.2, (0, 2 * PI), 1e-9, lambda u, x1, x2, x3, x4: 5 * x2 + 5 * u * (1 - u)),
]


@pytest.mark.parametrize(
    ("reference", "start", "end", "box", "bound", "rate"), REFERENCES, ids=lambda v: getattr(v, "__name__", "")
)
def test_references_are_certified_begin_with_their_start_and_solve_their_equation(
    reference, start, end, box, bound, rate
):
    # Derivatives by finite differences of order four in time and eight in space, in the middle half of the period.
    h, k = 1e-3, (box[1] - box[0]) / 400
    t = torch.tensor([0, end - 2 * h, end - h, end, end + h, end + 2 * h], dtype=torch.float64)
    x = box[0] + k * torch.arange(100, 301, dtype=torch.float64)
    u, error = reference(t, x)
    assert error < bound
    u = u.numpy()
    np.testing.assert_allclose(u[0], start(x.numpy()), atol=1e-11)
    found = (u[1] - 8 * u[2] + 8 * u[4] - u[5]) / (12 * h)
    powers = np.arange(-4, 5.0) ** np.arange(9)[:, None]
    stencils = [np.linalg.solve(powers, math.factorial(m) * np.eye(9)[m]) / k**m for m in range(5)]
    derivatives = [np.convolve(u[3], stencil[::-1], mode="valid") for stencil in stencils]
    # Schroedinger's solution has 1 / k^2 in it: its differences are that rough.
    assert difference(found[4:-4], rate(*derivatives)) < (2e-2 if reference is schroedinger else 1e-4)


def test_fisher_from_a_constant_is_logistic():
    equation = fisher_equation(0.7, 3.0)
    state = evolved(equation, np.full(8, 0.2), np.array([0.9]), 0.01)
    assert state[0, 0] == pytest.approx(0.2 / (0.2 + 0.8 * math.exp(-2.7)), abs=1e-8)


def test_a_certificate_is_the_relative_difference_and_not_below_rounding():
    _, error = certified(lambda coarser: np.array([3.0, 4.0 + (coarser - 1)]))
    assert error == pytest.approx(0.5 / 5)
    assert self_convergence(np.ones(2), np.ones(2)) == 1e-14


def published(name: str) -> dict[str, np.ndarray]:
    """A published solution, where there is a copy."""
    scipy_io = pytest.importorskip("scipy.io")
    paths = [folder / f"{name}.mat" for folder in SHARED if (folder / f"{name}.mat").is_file()]
    if not paths:
        pytest.skip("no copy of the published file")
    return {key: np.squeeze(value) for key, value in scipy_io.loadmat(paths[0]).items() if not key.startswith("_")}


@pytest.mark.data
def test_cole_hopf_is_the_published_file():
    file = published("burgers_shock")
    t, x = np.meshgrid(file["t"], file["x"], indexing="ij")
    u, _ = cole_hopf(torch.from_numpy(t.flatten()), torch.from_numpy(x.flatten()), 0.01 / math.pi)
    assert difference(u.numpy(), file["usol"].T.flatten()) < 1e-10


# Solved as they were: values of the start on as many places as the file has, no dealiasing.
PUBLISHED = [
    ("AC", ALLEN_CAHN, allen_cahn_start, 1e-3),
    ("KdV", KORTEWEG_DE_VRIES, korteweg_de_vries_start, 1e-4),
    ("NLS", SCHROEDINGER, lambda x: schroedinger_start(x) + 0j, 6e-5),
]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "equation", "start", "step"), PUBLISHED, ids=lambda v: v if isinstance(v, str) else ""
)
def test_published_files_are_regenerated(name, equation, start, step):
    file = published(name)
    states = evolved(equation, start(equation.places(len(file["x"]))), file["tt"], step)
    found = series(states, file["x"], equation, len(file["x"]))
    assert difference(found, file["uu"].T) < 1e-10


@pytest.mark.data
@pytest.mark.parametrize(("name", "reference", "wrong"), [("AC", allen_cahn, 1.17e-5), ("NLS", schroedinger, 1.75e-5)])
def test_published_files_are_as_far_from_the_truth_as_said(name, reference, wrong):
    file = published(name)
    u, error = reference(torch.from_numpy(file["tt"]), torch.from_numpy(file["x"]))
    assert difference(u.numpy(), file["uu"].T) == pytest.approx(wrong, rel=0.01) and error < wrong / 50


def test_series_give_back_the_highest_mode_on_its_own_grid():
    equation, values = Semilinear(0.0, 1.0, np.zeros_like, np.zeros_like), (-1.0) ** np.arange(16)
    found = series(spectrum(values)[None], equation.places(16), equation, 16)
    np.testing.assert_allclose(found[0], values, atol=1e-13)
