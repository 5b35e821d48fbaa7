"""Constants found from measurements: exact answers, covariances, coverage, files, mistakes."""

import json
import math

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torch import nn

from tasks.pde.data import unit_points
from tasks.pde.fields import Coordinates, rows_at
from tasks.pde.flow import vorticity_transport
from tasks.pde.intervals import constants_estimate, estimate_of, half_widths
from tasks.pde.measurements import FromFile, FromReference
from tasks.pde.networks import MLP
from tasks.pde.problems import (
    Burgers,
    Heat,
    InverseBurgers,
    InverseNavierStokes,
    Kovasznay,
    WithoutConditions,
)
from tasks.pde.task import PhysicsInformed
from zoo.cli.main import main
from zoo.derivatives import jet_of, per_point
from zoo.errors import InputError
from zoo.optim import LevenbergMarquardt


class Exact(nn.Module):
    """Heat's solution in the place of a net."""

    def forward(self, x):
        return torch.exp(x[..., 0:1] * (-0.4 * math.pi**2)) * torch.sin(x[..., 1:2] * math.pi)


class Bare(Heat):
    """Heat as it is when conditions are not known."""

    def conditions(self):
        return {}

    def offset(self, x):
        return 0.0

    def factor(self, x):
        return 1.0

    def _features(self, x):
        return x


def inverse_heat(net, guess=1.0, **kwargs):
    measurements = kwargs.pop("measurements", FromReference(200))
    task = PhysicsInformed(
        Bare(), net, LevenbergMarquardt, False, unknown={"alpha": guess}, measurements=measurements, **kwargs
    )
    return task.double()


def solve(task, steps, points=200):
    solver = LevenbergMarquardt(task.net.parameters())
    for step in range(steps):
        batch = task.placed(unit_points(points, "sobol", step))
        solver.step(lambda batch=batch: task._linearised(batch, solver))
    return float(task.net.unknown["alpha"].detach())


class Unscaled(nn.Module):
    """Takes the scaling of the inputs back, so that a solution can be written in the coordinates themselves."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x * 0.5 + 0.5)


def test_with_the_exact_solution_the_constant_is_exact():
    task = inverse_heat(Unscaled(Exact()))
    points = task.placed(unit_points(50, "sobol", 0))
    assert set(points) == {"equation", "data"}
    assert float(task.loss(task.net, points)["data"]) < 1e-28
    assert solve(task, 8) == pytest.approx(0.4, rel=1e-10)
    assert task.interval_half_widths()["alpha"] < 1e-10


def test_constant_and_net_are_found_together():
    torch.manual_seed(0)
    task = inverse_heat(MLP(2, 1, [10, 10]))
    assert solve(task, 60) == pytest.approx(0.4, rel=1e-4)
    assert float(task.relative_error()) < 1e-3


def regression(rows=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, 4, generator=generator, dtype=torch.float64), generator


def test_covariance_is_that_of_linear_regression():
    a_RP, generator = regression()
    y_R = a_RP @ torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    y_R += 0.1 * torch.randn(60, generator=generator, dtype=torch.float64)
    misfit_R = a_RP @ torch.linalg.lstsq(a_RP, y_R[:, None]).solution[:, 0] - y_R
    found = estimate_of(misfit_R, a_RP, a_RP[:0], [2, 0])
    assert found.freedom == pytest.approx(56, abs=1e-9)
    variance = float(misfit_R @ misfit_R) / 56
    expected = variance * torch.linalg.inv(a_RP.T @ a_RP)[[2, 0]][:, [2, 0]]
    torch.testing.assert_close(found.covariance_CC, expected, rtol=1e-8, atol=0)
    assert found.noise == pytest.approx(variance**0.5)


def test_rows_without_noise_constrain_and_parameters_without_effect_do_not_count():
    """cov = sigma^2 M M', M = (J'J)^-1 J_d', E|d|^2 = sigma^2 |I - J_d M|^2, by dense inverses."""
    d_RP, generator = regression()
    e_SP = 30 * torch.randn(3, 4, generator=generator, dtype=torch.float64)
    move_PR = torch.linalg.inv(d_RP.T @ d_RP + e_SP.T @ e_SP) @ d_RP.T
    freedom = (torch.eye(60, dtype=torch.float64) - d_RP @ move_PR).square().sum()
    misfit_R = torch.randn(60, generator=generator, dtype=torch.float64)
    expected = misfit_R.square().sum() / freedom * (move_PR @ move_PR.T)[1:2, 1:2]
    torch.testing.assert_close(estimate_of(misfit_R, d_RP, e_SP, [1]).covariance_CC, expected, rtol=1e-8, atol=0)
    idle = [torch.cat([rows, 0 * rows[:, :2], rows[:, 2:3] * 5], 1) for rows in (d_RP, e_SP)]
    again = estimate_of(misfit_R, *idle, [1])
    torch.testing.assert_close(again.covariance_CC, expected, rtol=1e-6, atol=0)
    assert again.freedom == pytest.approx(float(freedom), rel=1e-6)


def test_intervals_cover_the_truth_as_often_as_they_say():
    """A line through noisy points; a slope that is a constant of the equation, through `per_point`."""
    x_R = torch.linspace(0, 1, 20, dtype=torch.float64)
    generator, covered = torch.Generator().manual_seed(0), 0
    for _ in range(400):
        y_R = 0.3 + 2 * x_R + 0.1 * torch.randn(20, generator=generator, dtype=torch.float64)
        design = torch.stack([torch.ones_like(x_R), x_R], 1)
        best = torch.linalg.lstsq(design, y_R[:, None]).solution[:, 0]
        level, slope = nn.Parameter(best[0].clone()), nn.Parameter(best[1].clone())
        rows = {"data": lambda: per_point(level, 20) + per_point(slope, 20) * x_R - y_R}  # noqa: B023  called here
        estimate = constants_estimate(rows, [level, slope], [slope])
        covered += abs(float(slope.detach()) - 2) < float(half_widths(estimate))
    assert 0.92 < covered / 400 < 0.98


def test_measurements_are_the_reference_with_noise_of_the_given_size():
    problem = Heat()
    clean, noisy, again = (
        FromReference(3000, noise, seed=1).read(problem, problem.reference) for noise in (0, 0.1, 0.1)
    )
    assert noisy.values_NK.equal(again.values_NK) and clean.points_ND.equal(noisy.points_ND)
    assert len(clean.points_ND.unique(dim=0)) == 3000
    torch.testing.assert_close(clean.values_NK, problem.solution(clean.points_ND)[0])
    size = (noisy.values_NK - clean.values_NK).std() / clean.values_NK.std()
    assert float(size) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".mat"])
def test_files_of_ones_own(tmp_path, suffix):
    columns = {"x": np.array([0.1, 0.5, 1.0]), "u": np.array([1.0, 2.5, -3.0]), "t": np.array([0.0, 0.25, 1.0])}
    path = tmp_path / f"measured{suffix}"
    if suffix == ".csv":
        rows = "\n".join(",".join(str(v) for v in row) for row in zip(*columns.values(), strict=True))
        path.write_text("x, u, t\n" + rows)
    elif suffix == ".npz":
        np.savez(path, **columns)
    else:
        savemat(path, columns)
    found = FromFile(str(path)).read(Heat(), None)
    assert found.points_ND.tolist() == [[0.0, 0.1], [0.25, 0.5], [1.0, 1.0]]
    assert found.values_NK.tolist() == [[1.0], [2.5], [-3.0]] and found.columns == [0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("t,u\n0,1", "expected columns t, x and some of u, got t, u"),
        ("t,x\n0,1", "expected columns t, x and some of u, got t, x"),
        ("t,x,u\n0,0.5,nan", "expected finite numbers"),
        ("t,x,u\n0,0.5,1\n0,7,1", r"expected x in \[0, 1\], the domain, got 7 in row 1"),
        ("t,x,u\n0,0.5", "expected a readable .csv file, got 3 names over 2 columns"),
        ("t,x,u\n# t in seconds\n", "expected a readable .csv file, got no rows of numbers"),
        ("t,x,u\n", "expected a readable .csv file, got no rows of numbers"),
        ("", "expected a readable .csv file, got no rows of numbers"),
        (None, "expected a readable .csv file"),
    ],
)
def test_files_that_do_not_fit(tmp_path, text, says):
    path = tmp_path / "measured.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        FromFile(str(path)).read(Heat(), None)
    assert "\n" not in str(caught.value)


def test_common_mistakes():
    problem = Heat()
    for act, says in [
        (lambda: FromReference(noise=-0.1), "noise of 0 or more, got 2000 and -0.1"),
        (lambda: FromReference(points=0), "1 point or more"),
        (lambda: FromReference(points=10**6).read(problem, problem.reference), "expected 5151 or fewer"),
        (lambda: FromReference(observables=["v"]).read(problem, problem.reference), "some of u, got v"),
        (lambda: FromFile("measured.txt").read(problem, None), "expected a file of .csv, .npz, .mat, got .txt"),
        (
            lambda: PhysicsInformed(problem, MLP(2, 1), LevenbergMarquardt, unknown={"alpha": 1.0}),
            "model.unknown: expected measurements to find alpha from, got none",
        ),
        (lambda: PhysicsInformed(InverseBurgers(), MLP(2, 1), LevenbergMarquardt, False), "names no conditions"),
        (lambda: inverse_heat(MLP(2, 1), weights={"dat": 2.0}), "terms among equation, data, got dat"),
    ]:
        with pytest.raises(InputError, match=says):
            act()


def test_inverse_burgers_is_burgers():
    inverse, forward = InverseBurgers(), Burgers()
    points = inverse.placed(unit_points(50, "uniform", 0))
    u = torch.sin(jet_of(points, inverse.space)[..., 0:1] * 2 + jet_of(points, inverse.space)[..., 1:2])
    expected = forward.residual(u, points, forward.constants)
    torch.testing.assert_close(inverse.residual(u, points, inverse.constants), expected)


def test_figures_and_page_of_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    words = ["--model.unknown={alpha: 1.0}", "--model.measurements=FromReference", "--model.measurements.points=50"]
    quick = ["--trainer.max_epochs=1", "--data.points=60", "--data.steps_per_epoch=3", "--model.net.hidden_sizes=[6]"]
    assert (
        main(["fit", "pde/heat", *words, *quick, "--model.hard_conditions=false", "--model.weights={data: 3.0}"]) == 0
    )
    run = tmp_path / "runs" / "pde" / "heat" / "1"
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test/alpha_half_width"] > 0 and metrics["test/alpha"] != 1.0
    weights = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert metrics["test/alpha"] == float(weights["net.unknown.alpha"])  # to the last digit of float64
    assert f"alpha = {metrics['test/alpha']:.4g}"[:9] in (run / "report.html").read_text()


def test_vortices_that_drift_meet_navier_stokes_with_their_own_constants_alone():
    problem = InverseNavierStokes(0.07, (0.8, -0.3))
    points = problem.placed(unit_points(50, "uniform", 0))
    x = jet_of(points, problem.space)
    psi = problem.exact(Coordinates(t=x[..., 0:1], x=x[..., 1:2], y=x[..., 2:3]))
    assert problem.residual(psi, points, problem.constants).abs().max() < 1e-12
    for wrong in ({"lambda_1": 1.1}, {"lambda_2": 0.08}):
        assert problem.residual(psi, points, problem.constants | wrong).abs().max() > 1e-2
    known = problem.reference()
    at = jet_of(known.points_ND[:200], problem.space)
    psi = problem.exact(Coordinates(t=at[..., 0:1], x=at[..., 1:2], y=at[..., 2:3]))
    observed = rows_at(problem.observed, psi, known.points_ND[:200], {})
    torch.testing.assert_close(observed, known.values_NK[:200], rtol=0, atol=1e-13)


def test_a_steady_flow_tells_only_the_ratio_of_convection_and_viscosity():
    """Both constants doubled: Kovasznay's flow, known from measurements alone, still meets the equation."""
    problem = WithoutConditions(Kovasznay())
    points = problem.placed(unit_points(50, "uniform", 0))
    x = jet_of(points, problem.space)
    psi, nu = problem.known.exact(Coordinates(x=x[..., 0:1], y=x[..., 1:2])), problem.constants["nu"]
    assert problem.residual(psi, points, {"nu": nu}).abs().max() < 1e-10
    twice = rows_at(lambda psi, _: vorticity_transport(psi, 2 * nu, convection=2.0), psi, points, {})
    assert twice.abs().max() < 1e-10 < 1e-2 < problem.residual(psi, points, {"nu": 2 * nu}).abs().max()


def test_without_conditions_nothing_but_equation_and_measurements_is_trained():
    problem = WithoutConditions(Heat())
    assert problem.reference().values_NK.equal(problem.known.reference().values_NK)
    task = PhysicsInformed(problem, MLP(2, 1), LevenbergMarquardt, False, measurements=FromReference(20)).double()
    points = task.placed(unit_points(8, "sobol", 0))
    assert set(points) == {"equation", "data"}
    x = jet_of(points["equation"], problem.space)
    torch.testing.assert_close(task.net(x)[""], task.net.net(task.net._features(x))[""])
    u = torch.sin(x[..., 1:2] * math.pi + x[..., 0:1])
    expected = problem.known.residual(u, points["equation"], problem.constants)
    torch.testing.assert_close(problem.residual(u, points["equation"], problem.constants), expected)


@pytest.mark.parametrize(
    ("recipe", "further", "constants"),
    [
        ("burgers_inverse", ["--config", "configs/pde/overlays/noise.yaml"], ("lambda_1", "lambda_2")),
        ("navier_stokes_inverse", ["--model.net.width=30"], ("lambda_1", "lambda_2")),
    ],
)
def test_recipes_find_constants_with_intervals(tmp_path, recipe, further, constants):
    quick = ["--trainer.max_epochs=1", "--trainer.check_val_every_n_epoch=1", "--data.points=50"]
    quick += ["--data.steps_per_epoch=2", "--model.measurements.points=60", "--root", str(tmp_path)]
    assert main(["fit", f"pde/{recipe}", *further, *quick]) == 0
    run = tmp_path / "pde" / recipe / "1"
    metrics = json.loads((run / "metrics.json").read_text())
    assert all(metrics[f"test/{name}_half_width"] > 0 for name in constants)
    assert ("noise: 0.01" in (run / "config.yaml").read_text()) == ("noise.yaml" in " ".join(further))
