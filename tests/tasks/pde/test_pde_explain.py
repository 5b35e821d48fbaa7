"""The guard on planted cases; sensitivities against closed forms of the heat equation."""

import math
from functools import cache, partial

import pytest
import torch

from tasks.pde.data import unit_points
from tasks.pde.explain_page import bump, influence, point_of
from tasks.pde.guard import findings, grid_slope, mirrored, steep_coverage, steep_residual, verdict
from tasks.pde.networks import MLP
from tasks.pde.problems import Heat
from tasks.pde.sensitivity import constant_slopes, fit_of, initial_slopes, solution_jacobian
from tasks.pde.task import PhysicsInformed
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.optim import LevenbergMarquardt

DOUBLE = {"dtype": torch.float64}


@cache
def fitted(steps=40, points=300, fixed=False, hard=False):
    torch.manual_seed(0)
    symmetry = {"x": "even"} if hard else None
    task = PhysicsInformed(Heat(), MLP(2, 1, [12, 12]).double(), LevenbergMarquardt, hard, symmetry)
    solver = LevenbergMarquardt(task.net.parameters())
    for step in range(4 * steps if hard else steps):  # the built-in factor slows the start
        batch = task.placed(unit_points(points, "sobol", 0 if fixed else step))
        solver.step(partial(task._linearised, batch, solver))
    return task, batch["equation"]


def test_few_fixed_points_are_flagged_and_fresh_ones_are_not():
    held_out = Heat().placed(unit_points(500, "uniform", -1))
    task, points = fitted()
    good = findings(task, points, held_out)
    assert good.gap < 2 and verdict(good).startswith("Passed")
    task, points = fitted(40, 10, True)
    bad = findings(task, points, held_out)
    assert bad.trained < 1e-6 and bad.gap > 100 and verdict(bad).startswith("Flagged")
    assert float(task.relative_error()) > 1e-3


def test_a_layer_without_points_is_found():
    x = torch.linspace(0, 1, 201, dtype=torch.float64)
    places = torch.cartesian_prod(x[::4], x)
    slope = grid_slope(torch.tanh((places[:, 1:] - 0.5) / 0.01), places, (51, 201))
    everywhere = unit_points(400, "sobol", 0)[:, :2]
    away = everywhere[(everywhere[:, 1] - 0.5).abs() > 0.15]
    assert steep_coverage(everywhere, places, slope) == 1 and steep_coverage(away, places, slope) == 0
    half = everywhere[everywhere[:, 1] > 0.5]
    assert steep_coverage(mirrored(half, {"t": (0, 1), "x": (0, 1)}, ("x",)), places, slope) == 1
    residual = torch.where((places[:, 1] - 0.5).abs() < 0.01, 5.0, 0.1)
    assert steep_residual(residual, slope) == pytest.approx(50)


def test_slope_of_a_grid_is_that_of_the_function():
    places = torch.cartesian_prod(torch.linspace(0, 2, 41, **DOUBLE), torch.linspace(0, 1, 31, **DOUBLE))
    slope = grid_slope(3 * places[:, :1] + 4 * places[:, 1:], places, (41, 31))
    torch.testing.assert_close(slope, torch.full_like(slope, (6**2 + 4**2) ** 0.5))  # each over its range


PLACES = torch.tensor([[0.3, 0.2], [0.5, 0.5], [1.0, 0.8], [0.8, 0.35]], dtype=torch.float64)


@pytest.mark.parametrize(("hard", "tolerance"), [(True, 1e-3), (False, 1e-2)])
def test_derivative_to_the_diffusivity(hard, tolerance):
    task, _ = fitted(hard=hard)
    points = task.placed(unit_points(600, "sobol", 99))
    found = fit_of(task, points).response(constant_slopes(task, points, ("alpha",)), solution_jacobian(task, PLACES))
    t, x = PLACES.unbind(1)
    expected = -(math.pi**2) * t * torch.exp(-0.4 * math.pi**2 * t) * torch.sin(math.pi * x)
    assert float((found[:, 0] - expected).norm() / expected.norm()) < tolerance


@pytest.mark.parametrize(("hard", "tolerance"), [(True, 0.02), (False, 0.05)])
def test_derivative_to_modes_of_the_initial_value(hard, tolerance):
    task, _ = fitted(hard=hard)
    points = task.placed(unit_points(600, "sobol", 99))
    waves = (1, 3)  # even about the middle, as the net with hard conditions is
    modes = [lambda x, k=k: torch.sin(x[..., 1:2] * (k * math.pi)) for k in waves]
    slopes, built_in = initial_slopes(task, points, modes)
    found = fit_of(task, points).response(slopes, solution_jacobian(task, PLACES))
    t, x = PLACES[:, :1], PLACES[:, 1:]
    k = torch.tensor([waves], dtype=torch.float64)
    shapes = torch.sin(k * math.pi * x)
    found = found + shapes if built_in else found
    expected = torch.exp(-0.4 * (k * math.pi) ** 2 * t) * shapes
    assert built_in == hard and float((found - expected).norm() / expected.norm()) < tolerance


def test_influence_of_the_initial_value_is_the_heat_kernel():
    task, _ = fitted(80)
    points, point = task.placed(unit_points(900, "sobol", 99)), torch.tensor([[0.2, 0.3]], dtype=torch.float64)
    places, found = influence(task, fit_of(task, points), points, point)
    k = torch.arange(1, 20, dtype=torch.float64)[:, None] * math.pi
    expected = 2 * (torch.exp(-0.4 * k**2 * 0.2) * torch.sin(k * 0.3) * torch.sin(k * torch.tensor(places))).sum(0)
    assert float((torch.tensor(found) - expected).norm() / expected.norm()) < 0.1


def test_error_bars_shrink_with_the_residual():
    (rough, _), (fine, _) = fitted(8), fitted()
    found = []
    for task in (rough, fine):
        fit = fit_of(task, task.placed(unit_points(600, "sobol", 99)))
        found.append(float(fit.deviation(solution_jacobian(task, PLACES)).mean()))
    ratio = float(rough.relative_error() / fine.relative_error())
    assert found[0] / found[1] > ratio**0.5 > 2


@pytest.mark.parametrize("periodic", [True, False])
def test_bumps_have_their_area_and_meet_the_ends(periodic):
    x = torch.linspace(-1, 1, 4001, **DOUBLE)
    found = bump(0.2, 0.1, -1.0, 1.0, periodic)(x)
    assert float(torch.trapezoid(found, x)) == pytest.approx(0.1 * (2 * math.pi) ** 0.5, rel=0.02)
    assert found[[0, -1]].abs().max() < 1e-12 or (periodic and found[0] == pytest.approx(float(found[-1])))


@pytest.mark.parametrize("text", ["y=1", "t=2", "x", "x=a", "t=nan"])
def test_a_point_that_is_none_is_refused(text):
    with pytest.raises(InputError, match=r"--at: expected t in 0\.\.1, x in 0\.\.1"):
        point_of(text, Heat().bounds)


def test_explain_writes_its_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    quick = ["--trainer.max_epochs=3", "--data.points=60", "--data.steps_per_epoch=3", "--model.net.hidden_sizes=[6]"]
    assert main(["fit", "pde/heat", *quick]) == 0
    run = tmp_path / "runs" / "pde" / "heat" / "1"
    assert "Can the loss be believed?" in (run / "report.html").read_text()
    assert main(["explain", str(run), "--at", "t=0.2,x=0.3"]) == 0
    page = (run / "explain.html").read_text()
    assert "t = 0.2, x = 0.3" in page and "d u / d alpha" in page and "True error of u" in page
    capsys.readouterr()
    assert main(["explain", str(run), "--at", "t=9"]) == 2 and main(["explain", str(run), "--choose", "each"]) == 2
    assert "--choose: expected an option of this task's (--output, --at)" in capsys.readouterr().err
