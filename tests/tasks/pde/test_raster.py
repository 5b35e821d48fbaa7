"""Maps of problems on shapes, and problems whose solution nobody knows."""

import json
import math

import numpy as np
import pytest
import torch

from tasks.pde.explain import solution_sections
from tasks.pde.fields import Coordinates
from tasks.pde.geometry import Disk
from tasks.pde.measurements import FromReference
from tasks.pde.networks import MLP
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.problems import Heat
from tasks.pde.problems.l_shape import LShape
from tasks.pde.raster import SIDE, Raster, grid_with_holes, labels
from tasks.pde.references import grid_of
from tasks.pde.task import PhysicsInformed
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.optim import LevenbergMarquardt


class Membrane(Problem):
    """Laplacian u = -4 on the unit disk, u = 0 around it; u = 1 - x^2 - y^2, which it does not say."""

    geometry = Disk()
    bounds = geometry.bounds

    def equation(self, u, points):
        return u.laplacian + 4

    def factor(self, x):
        return self.geometry.distance(x.x, x.y)

    def conditions(self):
        return {"wall": Condition(lambda u, points: u.value, on_boundary=True)}


class Known(Membrane):
    """The same with its solution at any point, and a reference at scattered ones."""

    def solution(self, points_ND):
        return 1 - points_ND.square().sum(1, keepdim=True), 1e-15

    def reference(self):
        points = 0.6 * torch.rand(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        return Reference(points, *self.solution(points))


def untrained(problem, hard=True):
    torch.manual_seed(0)
    return PhysicsInformed(problem, MLP(len(problem.coordinates), 1, [6]).double(), LevenbergMarquardt, hard)


def numbers(figure):
    """A map's numbers as they are seen, [rows, columns]."""
    return np.array(figure.table.rows)[:, 1:].astype(float).T


def test_a_reference_that_leaves_places_of_a_grid_out_is_drawn_on_that_grid():
    task = untrained(LShape())
    raster = Raster.of(task)
    assert [len(axis) for axis in raster.axes] == [100, 100]  # the walls are not inside
    drawn = raster.grid(raster.points_N2[:, 0] + 10 * raster.points_N2[:, 1])
    x, y = (axis.numpy() for axis in raster.axes)
    outside = ~task.problem.geometry.inside(torch.cartesian_prod(*raster.axes)).reshape(drawn.shape).numpy()
    assert np.isnan(drawn).tolist() == outside.tolist() and 0.2 < outside.mean() < 0.3
    expected = x[:, None] + 10 * y[None]
    np.testing.assert_allclose(drawn[~outside], expected[~outside], rtol=0, atol=1e-12)


def test_x_goes_across_and_y_up_and_time_down():
    raster = Raster.of(untrained(Known()))
    upright = numbers(raster.drawn(raster.points_N2[:, 1]))
    assert raster.reading == "y up, x across" and np.nanmean(upright[:20]) > 0.5 > -0.5 > np.nanmean(upright[-20:])
    across = numbers(raster.drawn(raster.points_N2[:, 0]))
    assert np.nanmean(across[:, -20:]) > 0.5
    raster = Raster.of(untrained(Heat()))
    falling = numbers(raster.drawn(raster.points_N2[:, 0]))
    assert raster.reading == "t down, x across" and falling[0].max() == 0 and falling[-1].min() == 1


def test_error_and_residual_on_a_disk_are_those_of_its_places():
    task = untrained(Known())
    solution, residual = solution_sections(task)
    found, error = (numbers(figure) for figure in solution.figures[:2])
    axis = np.linspace(-1, 1, SIDE)
    exact = np.where(np.isnan(found), np.nan, 1 - axis[::-1, None] ** 2 - axis[None] ** 2)
    np.testing.assert_allclose(error, abs(found - exact), atol=1e-12)
    assert np.isfinite(found).mean() == pytest.approx(math.pi / 4, rel=0.03)
    middle = task.residual_at(torch.zeros(1, 2, dtype=torch.float64)).detach().abs()
    assert numbers(residual.figures[0])[SIDE // 2, SIDE // 2] == pytest.approx(float(middle))


def test_thinned_places_are_places():
    raster = Raster.of(untrained(LShape()))
    few = raster.thinned((40, 60))
    assert len(few.axes[0]) <= 40 and len(few.axes[1]) <= 60 and few.expected_NK.shape == (len(few.points_N2), 1)
    for drawn, axis in zip((few.grid(few.points_N2[:, 0]), few.grid(few.points_N2[:, 1]).T), few.axes, strict=True):
        kept = np.isfinite(drawn)
        assert (drawn[kept] == np.broadcast_to(axis.numpy()[:, None], drawn.shape)[kept]).all()
    places = Coordinates(x=few.points_N2[:, 0], y=few.points_N2[:, 1])
    torch.testing.assert_close(few.expected_NK[:, 0], LShape().exact(places))


def test_scattered_points_are_no_grid():
    assert grid_with_holes(torch.rand(50, 2)) is None
    points, sizes = grid_of({"x": (0.0, 1.0), "y": (0.0, 2.0)}, (4, 7))
    axes, _, cells = grid_with_holes(points)
    assert (len(axes[0]), len(axes[1])) == sizes and cells.tolist() == list(range(28))


def test_labels_tell_neighbours_of_a_narrow_range_apart():
    assert len(set(labels(torch.linspace(3.0, 3.001, 50)))) == 50


def test_a_problem_without_a_reference_is_solved_and_its_error_said_to_be_unknown(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from tests.tasks.pde.test_raster import Membrane\n\n\nclass Mine(Membrane):\n    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    words = ["--trainer.max_epochs=5", "--data.points=150", "--data.steps_per_epoch=8", "--model.net.hidden_sizes=[8]"]
    assert main(["fit", "pde/poisson", *words, "--model.problem", "mine.Mine", "--model.symmetry=null"]) == 0
    run = tmp_path / "runs" / "pde" / "poisson" / "1"
    figures = json.loads((run / "metrics.json").read_text())
    assert "test/relative_l2" not in figures and figures["test/residual"] < 1e-3
    page = (run / "report.html").read_text()
    assert "Unknown: Mine has no reference" in page and "The solution." in page and "Its error." not in page
    assert main(["explain", str(run)]) == 0
    page = (run / "explain.html").read_text()
    assert "Standard deviation of u" in page and "True error" not in page
    assert main(["predict", str(run)]) == 0
    found = torch.load(run / "predictions.pt", weights_only=True)
    assert (found["solution"][:, 0] - 1 + found["points"].square().sum(1)).abs().max() < 1e-3


def test_a_curve_without_a_reference():
    class Decay(Problem):
        bounds = {"t": (0.0, 1.0)}

        def equation(self, u, points):
            return u.t + u.value

    error, solution = solution_sections(untrained(Decay(), hard=True))
    assert "no reference" in error.lead and solution.figures[0].table.columns == ["t", "u"]


def test_measurements_need_something_to_be_drawn_from():
    with pytest.raises(InputError, match="expected a problem with a reference to draw from, got Membrane without"):
        FromReference(10).read(Membrane(), Membrane().reference)
