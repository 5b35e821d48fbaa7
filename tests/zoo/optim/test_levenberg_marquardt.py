"""Levenberg-Marquardt on problems with known answers, and phases of optimisers."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from zoo.errors import InputError
from zoo.optim import LevenbergMarquardt, Phase, Phases
from zoo.optim.levenberg_marquardt import NormalSystem
from zoo.optim.orthogonal import OrthogonalSystem


def rosenbrock(w):
    """Residuals and Jacobian of Rosenbrock's valley, least at (1, 1)."""
    x, y = w.detach().tolist()
    residuals = torch.tensor([1 - x, 10 * (y - x * x)], dtype=torch.float64)
    return residuals, torch.tensor([[-1.0, 0.0], [-20 * x, 10.0]], dtype=torch.float64)


def test_a_linear_problem_takes_one_step():
    torch.manual_seed(0)
    a, b = torch.randn(12, 4, dtype=torch.float64), torch.randn(12, dtype=torch.float64)
    w = nn.Parameter(torch.zeros(4, dtype=torch.float64))
    solver = LevenbergMarquardt([w], damping=1e-14)
    first = solver.step(lambda: (a @ w.detach() - b, a))
    assert first == pytest.approx(float(b @ b))
    torch.testing.assert_close(w.detach(), torch.linalg.lstsq(a, b[:, None]).solution[:, 0])
    assert solver.readings["gain_ratio"] == pytest.approx(1.0) and solver.readings["acceleration"] < 1e-8


@pytest.mark.parametrize("accelerate", [True, False])
def test_rosenbrocks_valley(accelerate):
    w = nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))
    solver = LevenbergMarquardt([w], accelerate=accelerate)
    costs = [float(solver.step(lambda: rosenbrock(w))) for _ in range(40)]
    assert (w.detach() - 1).abs().max() < 1e-10
    assert all(later <= earlier for earlier, later in pairwise(costs))


def test_the_acceleration_is_the_second_derivative_along_the_step():
    """r(w) = (w^2 - 2): delta = -J r / (J^2 (1 + damping)) and a = -J r'' / (J^2 (1 + damping)), r'' = 2 delta^2."""
    w = nn.Parameter(torch.tensor([3.0], dtype=torch.float64))
    solver = LevenbergMarquardt([w], damping=0.1)
    solver.step(lambda: (w.detach() ** 2 - 2, (2 * w.detach())[:, None]))
    jacobian, residual = 6.0, 7.0
    delta = -residual / (jacobian * 1.1)
    bent = -2 * delta**2 / (jacobian * 1.1)
    assert float(w.detach()) == pytest.approx(3 + delta + bent / 2, rel=1e-9)


def test_a_step_that_helps_nothing_leaves_the_parameters():
    w = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    solver = LevenbergMarquardt([w], trials=3)
    worse = iter([1.0, *[2.0] * 6])

    def closure():
        return torch.tensor([next(worse)], dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)

    solver.step(closure)
    assert float(w.detach()) == 1.0 and solver.readings["trials"] == 3


def test_state_goes_on_to_the_bit():
    def run(steps, state=None, start=(-1.2, 1.0)):
        w = nn.Parameter(torch.tensor(start, dtype=torch.float64))
        solver = LevenbergMarquardt([w])
        if state:
            solver.load_state_dict(state)
        for _ in range(steps):
            solver.step(lambda: rosenbrock(w))
        return w.detach(), solver.state_dict()

    whole, _ = run(9)
    half, state = run(4)
    resumed, _ = run(5, state, half.tolist())
    assert whole.equal(resumed)


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda w: LevenbergMarquardt([w], grow=1.0), "grow > 1"),
        (lambda w: LevenbergMarquardt([w], damping=-1.0), "damping"),
        (lambda w: LevenbergMarquardt([w], memory=1.0), "below 1"),
        (lambda w: LevenbergMarquardt([w], memory=0.5, orthogonal=True), "with orthogonal"),
        (lambda w: LevenbergMarquardt([w]).step(), "expected a closure"),
        (lambda w: LevenbergMarquardt([w]).step(lambda: (torch.ones(2), torch.ones(2, 3))), "expected a Jacobian"),
        (lambda w: Phases([w], []), "steps of 1 or more"),
        (lambda w: Phases([w], [Phase(torch.optim.Adam, 3)]), r"got \[3\]"),
        (lambda w: Phases([w], [Phase(torch.optim.Adam), Phase(torch.optim.Adam)]), r"got \[None, None\]"),
    ],
)
def test_common_mistakes(act, says):
    with pytest.raises(InputError, match=says):
        act(nn.Parameter(torch.ones(2)))


def quadratic(phases, steps, state=None, start=5.0):
    w = nn.Parameter(torch.tensor([start], dtype=torch.float64))
    optimizer = Phases([w], phases)
    if state:
        optimizer.load_state_dict(state)

    def closure():
        if optimizer.wants_residuals:
            return w.detach() - 1, torch.ones(1, 1, dtype=torch.float64)
        optimizer.zero_grad()
        loss = (w - 1).square().sum()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)
    return float(w.detach()), optimizer


def phases():
    def halving(optimizer):
        return torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    return [Phase(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5), 4, halving), Phase(LevenbergMarquardt)]


def test_phases_follow_one_another():
    _, at_three = quadratic(phases(), 3)
    assert at_three.present == 0 and at_three.param_groups[0]["lr"] == pytest.approx(0.1 / 8)
    _, at_four = quadratic(phases(), 4)
    assert at_four.present == 1 and at_four.wants_residuals
    w, _ = quadratic(phases(), 8)
    assert w == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("stop", [2, 4, 6])
def test_phases_resume_to_the_bit(stop):
    whole, _ = quadratic(phases(), 8)
    half, stopped = quadratic(phases(), stop)
    resumed, _ = quadratic(phases(), 8 - stop, stopped.state_dict(), half)
    assert whole == resumed


def test_by_orthogonal_factors_the_digits_stay_that_the_normal_equations_lose():
    """Fitting monomials (condition 1e10): the damped minimum by QR is the stacked least squares', by J'J it is not."""
    x = torch.linspace(0, 1, 60, dtype=torch.float64)
    j = torch.stack([x**k for k in range(14)], 1)
    b, scale, damping = torch.sin(4 * x), j.square().sum(0), 1e-18
    stacked = torch.cat([j, (damping * scale).sqrt().diag()])
    exact = torch.linalg.lstsq(stacked, torch.cat([b, torch.zeros(14, dtype=b.dtype)]), driver="gelsd").solution
    best = float((j @ exact - b).norm())
    orthogonal, normal = (kind(j).solve(b, damping) for kind in (OrthogonalSystem, NormalSystem))
    assert float((j @ orthogonal - b).norm()) < 1.01 * best
    assert normal is None or float((j @ normal - b).norm()) > 1.5 * best


@pytest.mark.parametrize("rows", [30, 5])
@pytest.mark.parametrize("kind", [OrthogonalSystem, NormalSystem])
def test_both_solve_the_damped_equations(kind, rows):
    torch.manual_seed(0)
    j, b = torch.randn(rows, 8, dtype=torch.float64), torch.randn(rows, dtype=torch.float64)
    system, scale = kind(j), j.square().sum(0)
    for damping in (1e-3, 2.0):
        x = torch.linalg.solve(j.t() @ j + damping * scale.diag(), j.t() @ b)
        torch.testing.assert_close(system.solve(b, damping), x)
        torch.testing.assert_close(system.solve(2 * b, damping), 2 * x)


def test_memory_is_least_squares_over_all_batches():
    """Linear residuals in batches fewer than the parameters: with memory near one, the solution of all rows together."""
    torch.manual_seed(0)
    a, b = torch.randn(10, 3, 8, dtype=torch.float64), torch.randn(10, 3, dtype=torch.float64)
    w = nn.Parameter(torch.zeros(8, dtype=torch.float64))
    share = 1 - 1e-9
    solver = LevenbergMarquardt([w], damping=1e-12, memory=share)
    for a_RP, b_R in zip(a, b, strict=True):
        solver.step(lambda a_RP=a_RP, b_R=b_R: (a_RP @ w.detach() - b_R, a_RP))
    expected = torch.linalg.lstsq(a.flatten(0, 1), b.flatten()[:, None]).solution[:, 0]
    torch.testing.assert_close(w.detach(), expected, rtol=1e-5, atol=1e-6)


def test_memory_discounts_earlier_batches():
    """One parameter, batches x = b: the mean of all b with weights memory^age."""
    w = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    solver, one = LevenbergMarquardt([w], damping=1e-14, memory=0.5), torch.ones(1, 1, dtype=torch.float64)
    for b in (1.0, 2.0, 4.0):
        solver.step(lambda b=b: (w.detach() - b, one))
    assert float(w.detach()) == pytest.approx((0.25 * 1 + 0.5 * 2 + 4) / 1.75)


def test_memory_goes_on_to_the_bit():
    a, b = torch.randn(6, 2, 3, dtype=torch.float64), torch.randn(6, 2, dtype=torch.float64)

    def run(batches, state=None, start=(0.0, 0.0, 0.0)):
        w = nn.Parameter(torch.tensor(start, dtype=torch.float64))
        solver = LevenbergMarquardt([w], memory=0.7)
        if state:
            solver.load_state_dict(state)
        for k in batches:
            solver.step(
                lambda k=k: (
                    torch.tanh(a[k] @ w.detach()) - b[k],
                    (1 - torch.tanh(a[k] @ w.detach()) ** 2)[:, None] * a[k],
                )
            )
        return w.detach(), solver.state_dict()

    whole, _ = run(range(6))
    half, state = run(range(3))
    assert whole.equal(run(range(3, 6), state, half.tolist())[0])
