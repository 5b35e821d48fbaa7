"""BFGS, SSBFGS and SSBroyden: plain twins, quadratics, order of convergence."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from zoo.errors import InputError
from zoo.optim import BFGS, SSBFGS, SSBroyden
from zoo.optim.broyden import bfgs, self_scaled_bfgs, self_scaled_broyden, update_inverse_

METHODS = [BFGS, SSBFGS, SSBroyden]
RULES = [bfgs, self_scaled_bfgs, self_scaled_broyden]


def closure_of(optimizer, loss_of):
    def closure():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        return loss

    return closure


def positive_definite(n, seed):
    a = np.random.default_rng(seed).standard_normal((n, n))
    return a @ a.T + 0.1 * np.eye(n)


def twin(H, s, y, g, t, rule):
    """Urban, Stefanou and Pons (2025) line by line, in the direct form: scale B, update B, invert."""
    n, B = len(s), np.linalg.inv(H)
    ys, sBs, yHy = y @ s, s @ B @ s, y @ H @ y
    b, h = sBs / ys, yHy / ys
    if rule is bfgs:
        theta, tau = 0.0, 1.0
    elif rule is self_scaled_bfgs:
        theta, tau = 0.0, min(1, 1 / b)
    else:
        a = b * h - 1
        c = np.sqrt(a / (1 + a))
        rho_minus = min(1, h * (1 - c))
        theta_minus, theta_plus = (rho_minus - 1) / a, 1 / rho_minus
        theta = max(theta_minus, min(theta_plus, (1 - b) / b))
        sigma, rho = 1 + theta * a, min(1, 1 / b)
        tau = min(rho * sigma ** (1 / (1 - n)), sigma) if theta <= 0 else rho * min(sigma ** (1 / (1 - n)), 1 / theta)
    w = y / ys - B @ s / sBs
    return np.linalg.inv(tau * (B - np.outer(B @ s, B @ s) / sBs + theta * sBs * np.outer(w, w)) + np.outer(y, y) / ys)


def case(seed):
    """(H, s, y, g, t) of a function whose curvature is more or less what H says, times a factor."""
    random = np.random.default_rng(seed)
    H, s, t = positive_definite(5, seed), random.standard_normal(5), 10.0 ** random.uniform(-2, 1)
    factor, apart = 10.0 ** random.uniform(-2, 1), 10.0 ** random.uniform(-3, 2)
    images = np.linalg.inv(H) @ s, positive_definite(5, seed + 100) @ s
    return H, s, factor * (images[0] + apart * images[1]) / (1 + apart), -images[0] / t, t


def ratios(H, s, y, g, t):
    """b and h."""
    return float(-t * (g @ s) / (y @ s)), float(y @ H @ y / (y @ s))


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.__name__)
@pytest.mark.parametrize("seed", range(20))
def test_the_update_is_the_inverse_of_the_direct_formula(rule, seed):
    H, s, y, g, t = case(seed)
    expected = twin(H, s, y, g, t, rule)
    found, (b, h) = torch.from_numpy(H.copy()), ratios(H, s, y, g, t)
    theta, tau = rule(b, h, 5)
    update_inverse_(found, torch.from_numpy(s), torch.from_numpy(H @ y), float(y @ s), h, b * h - 1, theta, tau)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())
    np.testing.assert_allclose(found.numpy() @ y, s, rtol=1e-8, atol=1e-8 * np.abs(s).max())  # the secant equation
    assert np.linalg.eigvalsh(found.numpy()).min() > 0
    assert (found - found.t()).abs().max() <= 1e-14 * found.abs().max()


def test_the_seeds_above_reach_every_branch_of_the_rule():
    cases = set()
    for seed in range(20):
        b, h = ratios(*case(seed))
        theta, _ = self_scaled_broyden(b, h, 5)
        cases.add((theta <= 0, theta == (1 - b) / b))
    assert len(cases) == 4


def test_a_pair_that_h_knows_already_changes_nothing():
    """y = B s: a = 0, where the formulas of theta read 0 / 0."""
    H = torch.diag(torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64))
    y = torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64)
    for rule in RULES:
        found = H.clone()
        update_inverse_(found, H @ y, H @ y, 7.0, 1.0, 0.0, *rule(1.0, 1.0, 3))
        torch.testing.assert_close(found, H)
    assert self_scaled_broyden(2.0, 0.5, 1)[1] > 0 and self_scaled_broyden(0.5, 2.0, 1)[1] > 0  # one parameter


@pytest.mark.parametrize("method", METHODS)
def test_a_quadratic_ends_in_as_many_steps_as_it_has_dimensions(method):
    """With an exact search BFGS ends after n steps with H the inverse Hessian; scaling costs the kin a few more."""
    n = 8
    hessian = torch.from_numpy(positive_definite(n, 3))
    target = torch.arange(1.0, n + 1, dtype=torch.float64)
    w = nn.Parameter(torch.zeros(n, dtype=torch.float64))
    optimizer = method([w], iterations=1, curvature=1e-9, decrease=1e-10, evaluations=60)
    closure = closure_of(optimizer, lambda: 0.5 * (w - target) @ hessian @ (w - target))
    start = closure().item()
    for _ in range(n):
        optimizer.step(closure)
    assert closure().item() < (1e-15 if method is BFGS else 1e-3) * start
    if method is BFGS:
        inverse = optimizer.state[w]["inverse_PP"]
        torch.testing.assert_close(inverse, torch.linalg.inv(hessian), rtol=1e-5, atol=1e-6)
        assert optimizer.readings["theta"] == 0 and optimizer.readings["restarts"] == 0


def valley(w):
    """Rosenbrock's in any dimension, least at (1, ..., 1)."""
    return ((1 - w[:-1]) ** 2 + 100 * (w[1:] - w[:-1] ** 2) ** 2).sum()


@pytest.mark.parametrize(("n", "limit"), [(2, 70), (20, 300)])
@pytest.mark.parametrize("method", METHODS)
def test_rosenbrocks_valley(method, n, limit):
    """Within 1.75 of the evaluations that scipy's BFGS takes, 40 and 186."""
    w = nn.Parameter(torch.tensor([-1.2, 1.0] * (n // 2), dtype=torch.float64))
    optimizer, spent = method([w], iterations=10), 0
    closure = closure_of(optimizer, lambda: valley(w))
    while (w.detach() - 1).abs().max() > 1e-8 and spent < limit:
        optimizer.step(closure)
        spent += optimizer.readings["evaluations"]
    assert spent < limit


@pytest.mark.parametrize("method", METHODS)
def test_convergence_is_superlinear(method):
    """log |e_k+1| / log |e_k| stays above one near the minimum, which no linear method does."""
    torch.manual_seed(1)
    n = 6
    a, b = torch.from_numpy(positive_definite(n, 5)) / n, torch.linspace(-1, 1, n, dtype=torch.float64)
    w = nn.Parameter(torch.zeros(n, dtype=torch.float64))
    optimizer = method([w], iterations=1)

    def loss():
        return 0.5 * w @ a @ w + 0.25 * (w**4).sum() - b @ w

    closure, slopes = closure_of(optimizer, loss), []
    for _ in range(60):
        optimizer.step(closure)
        optimizer.zero_grad()
        loss().backward()
        slopes.append(float(w.grad.norm()))
        if slopes[-1] < 1e-12:
            break
    near = [s for s in slopes if s < 1e-2]
    assert len(near) <= 16 and slopes[-1] < 1e-10
    ratios = [later / earlier for earlier, later in pairwise(near)]
    assert min(ratios[-3:]) < 0.2 * ratios[0] or ratios[-1] < 1e-2


@pytest.mark.parametrize("iterations", [1, 2])
def test_the_pairs_are_of_one_batch_however_the_points_change(iterations):
    """H y = s with y = A s: a y taken over two batches would carry the difference of their linear terms."""
    n = 4
    hessian = torch.from_numpy(positive_definite(n, 7))
    w = nn.Parameter(torch.zeros(n, dtype=torch.float64))
    optimizer = BFGS([w], iterations=iterations)
    for seed in range(10):
        pull = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        places = [w.detach().clone()]

        def closure(pull=pull, places=places):
            places.append(w.detach().clone())
            return closure_of(optimizer, lambda: 0.5 * w @ hessian @ w - pull @ w)()

        optimizer.step(closure)
        moves = [w.detach() - place for place in places]
        images = [optimizer.state[w]["inverse_PP"] @ hessian @ move for move in moves]
        assert any(
            move.norm() > 1e-6 and torch.allclose(i, move, rtol=1e-6) for i, move in zip(images, moves, strict=True)
        )


def test_steps_that_help_nothing_leave_the_parameters_and_the_second_begins_anew():
    w = nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))
    optimizer = BFGS([w], iterations=3, evaluations=5)
    optimizer.step(closure_of(optimizer, lambda: w.square().sum() + (w**4).sum()))
    before, calls = w.detach().clone(), iter(range(1000))

    def rising():
        w.grad = torch.ones_like(w)
        return torch.tensor(float(next(calls)))

    for expected in (True, False):
        optimizer.step(rising)
        assert w.detach().equal(before) and optimizer.readings["step_length"] == 0
        assert optimizer.readings["evaluations"] == 6
        assert ("inverse_PP" in optimizer.state[w]) == expected
    assert optimizer.readings["restarts"] == 1


@pytest.mark.parametrize("method", METHODS)
def test_in_float32_it_ends_at_the_floor_of_rounding_and_stays(method):
    """Least squares without a zero: the value is good to 1e-7 and the slope decides; H is not fed with rounding."""
    a = torch.randn(30, 6, generator=torch.Generator().manual_seed(0))
    b = torch.randn(30, generator=torch.Generator().manual_seed(1))
    w = nn.Parameter(torch.zeros(6))
    optimizer = method([w])
    closure = closure_of(optimizer, lambda: (a @ w - b).square().sum())
    for _ in range(8):
        optimizer.step(closure)
    exact = torch.linalg.lstsq(a.double(), b.double()[:, None]).solution[:, 0]
    assert (w.detach() - exact).abs().max() < 2e-6
    assert optimizer.readings["evaluations"] < 100 and 1e-2 < optimizer.readings["tau"] < 1e2


def test_unreached_parameters_and_groups():
    w, unused = (nn.Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(2))
    frozen = nn.Parameter(torch.ones(2, dtype=torch.float64), requires_grad=False)
    optimizer = SSBroyden([{"params": [w]}, {"params": [unused, frozen]}])
    optimizer.step(closure_of(optimizer, lambda: ((w - 3) ** 2).sum()))
    torch.testing.assert_close(w.detach(), torch.full_like(w, 3.0))
    assert unused.detach().eq(1).all() and frozen.eq(1).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"lr": 0.0}, r"SSBroyden\.lr"),
        ({"iterations": 0}, "iterations and evaluations >= 1"),
        ({"curvature": 1e-5}, "decrease < curvature"),
    ],
)
def test_common_mistakes(options, says):
    with pytest.raises(InputError, match=says) as error:
        SSBroyden([nn.Parameter(torch.ones(2))], **options)
    assert "\n" not in str(error.value)
