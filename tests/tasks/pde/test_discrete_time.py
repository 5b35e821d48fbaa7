"""One large step by an implicit Runge-Kutta method: exact stages, order, structure, mistakes."""

import math

import numpy as np
import pytest
import torch

from tasks.pde.ansatz import Ansatz
from tasks.pde.data import Collocation, unit_points
from tasks.pde.discrete_time import DiscreteTime
from tasks.pde.fields import rows_at
from tasks.pde.networks import MLP, RandomFeatures
from tasks.pde.problem import Problem
from tasks.pde.problems import Burgers, Heat, InverseBurgers, Poisson
from tasks.pde.runge_kutta import gauss_legendre
from tasks.pde.task import PhysicsInformed
from zoo.derivatives import JetSpace, jet_of
from zoo.errors import InputError
from zoo.optim import LevenbergMarquardt

RATE = 0.4 * math.pi**2  # of the decay of sin(pi x) under Heat(0.4)


def heat_stages(stages, start, step):
    """What the method gives for u = g(t) sin(pi x), g' = -RATE g: (stages and end) [S]."""
    a, b, _ = gauss_legendre(stages)
    g = math.exp(-RATE * start)
    inner = np.linalg.solve(np.eye(stages) + step * RATE * a, np.full(stages, g))
    return torch.tensor([*inner, g - step * RATE * b @ inner], dtype=torch.float64)


def waves(problem, heights_S):
    points = problem.placed(unit_points(40, "uniform", 0))
    return torch.sin(jet_of(points, problem.space) * math.pi) * heights_S, points


@pytest.mark.parametrize("stages", [1, 3, 50])
def test_the_methods_own_stages_have_no_residual_and_others_have(stages):
    problem = DiscreteTime(Heat(0.4), stages, 0.1, 0.6)
    u, points = waves(problem, heat_stages(stages, 0.1, 0.6))
    rows = problem.residual(u, points, problem.constants)
    assert rows.shape == (40, stages + 1) and rows.abs().max() < 1e-13
    for wrong in range(stages + 1):
        heights = heat_stages(stages, 0.1, 0.6)
        heights[wrong] += 1e-3
        assert problem.residual(waves(problem, heights)[0], points, problem.constants).abs().max() > 1e-4


def test_with_many_stages_the_solution_itself_has_no_residual():
    problem = DiscreteTime(Heat(0.4), 20, 0.1, 0.8)
    u, points = waves(problem, torch.exp(-RATE * problem.times_S))
    assert problem.residual(u, points, problem.constants).abs().max() < 1e-13


@pytest.mark.parametrize("stages", [1, 2])
def test_the_end_is_of_order_twice_the_stages(stages):
    steps = np.array([0.1, 0.05, 0.025, 0.0125])
    errors = []
    for step in steps:
        problem = DiscreteTime(Heat(0.4), stages, 0.1, step)
        u, points = waves(problem, heat_stages(stages, 0.1, step))
        assert problem.residual(u, points, problem.constants).abs().max() < 1e-14
        end = rows_at(problem.observed, u, points, {})
        errors.append(float((end - problem._solution(points, 0.1 + step)[0]).abs().max()))
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(2 * stages + 1, abs=0.25)  # of one step


def test_all_states_at_once_and_one_by_one_are_the_same():
    problem = DiscreteTime(Burgers(0.1), 4, 0.1, 0.5)
    points = problem.placed(unit_points(10, "sobol", 0))
    u = MLP(1, 5).double()(jet_of(points, problem.space))
    by_field = rows_at(problem.equation, u, points, {"nu": torch.full((10,), 0.1, dtype=torch.float64)})
    torch.testing.assert_close(problem.residual(u, points, {"nu": 0.1}), by_field)
    assert set(problem.space.names) == {"", "x", "xx"}


def test_boundary_conditions_are_built_in_or_trained_at_every_stage():
    problem = DiscreteTime(Burgers(), 6)
    ends = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    u = Ansatz(MLP(1, 7).double(), problem, True, {"x": "odd"})(jet_of(ends, JetSpace(("x",), frozenset())))
    assert u[""].shape == (2, 7) and u[""].abs().max() < 1e-12
    soft = PhysicsInformed(problem, MLP(1, 7), LevenbergMarquardt, hard_conditions=False).double()
    points = soft.placed(unit_points(8, "sobol", 0))
    assert set(points) == {"equation", "low", "high"}
    rows = soft.residuals(soft.net, points)["high"]()
    inner = soft.net(jet_of(points["high"], JetSpace(("x",), frozenset())))[""]
    torch.testing.assert_close(rows * 2**0.5, inner)


def test_one_step_is_learned():
    """By random features, in which the problem is linear: a trained layer's error differed a hundredfold by rounding."""
    torch.manual_seed(0)
    task = PhysicsInformed(
        DiscreteTime(Heat(), 8, 0.0, 0.5), RandomFeatures(1, 9, 12), LevenbergMarquardt, symmetry={"x": "even"}
    )
    task.double()
    solver = LevenbergMarquardt([p for p in task.net.parameters() if p.requires_grad])
    for step in range(30):
        batch = task.placed(unit_points(20, "sobol", step))
        solver.step(lambda batch=batch: task._linearised(batch, solver))
    assert float(task.relative_error()) < 3e-6
    data = Collocation(20, 1, seed=0)
    data.setup()
    assert "Solution u" in [section.title for section in task.report_sections(data)]


class Wave(Problem):
    bounds = {"t": (0.0, 1.0), "x": (0.0, 1.0)}

    def equation(self, u, points):
        return u.tt - u.xx

    def reference(self):
        raise NotImplementedError


class Doubled(Heat):
    def equation(self, u, points, alpha):
        return 2 * u.t - alpha * u.xx


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: DiscreteTime(Poisson()), "of one field, got Poisson of u over x, y"),
        (lambda: DiscreteTime(Wave()), "got Wave with derivatives tt to t"),
        (lambda: DiscreteTime(Doubled()), "expected an equation u.t"),
        (lambda: DiscreteTime(Heat(), 10, 0.5, 0.8), "within t = 0 .. 1, got 0.5 .. 1.3"),
        (lambda: DiscreteTime(Heat(), 0), "expected 1 stage or more"),
        (
            lambda: DiscreteTime(InverseBurgers()).reference(),
            "whose solution is known at any point, got InverseBurgers",
        ),
    ],
)
def test_problems_that_do_not_fit(make, says):
    with pytest.raises(InputError, match=says):
        make()
