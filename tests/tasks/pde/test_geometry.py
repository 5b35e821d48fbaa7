"""Plane shapes: areas, boundaries, distances as factors; problems on a disk and on the L-shape."""

import math

import pytest
import torch

from tasks.pde.data import unit_points
from tasks.pde.geometry import Difference, Disk, LShape, Polygon, Rectangle, Union
from tasks.pde.networks import MLP
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.task import PhysicsInformed
from zoo.derivatives import JetSpace, jet_of
from zoo.errors import InputError
from zoo.optim import LevenbergMarquardt

HOLE = Difference(Rectangle((0.0, 2.0), (0.0, 1.0)), Disk((0.5, 0.5), 0.25))
BITE = Difference(Disk((0.0, 0.0), 1.0), Rectangle((0.0, 2.0), (-2.0, 2.0)))
LENSES = Union(Disk((0.0, 0.0), 1.0), Disk((1.0, 0.0), 1.0))
LENS = 2 * math.pi / 3 - math.sqrt(3) / 2  # of two unit disks at distance one
# name -> shape, area, length of its boundary
SHAPES = {
    "rectangle": (Rectangle((-1.0, 1.0), (0.0, 3.0)), 6.0, 10.0),
    "disk": (Disk((1.0, -2.0), 0.7), math.pi * 0.49, 1.4 * math.pi),
    "triangle, clockwise": (Polygon([(0, 0), (0, 3), (4, 0)]), 6.0, 12.0),
    "L": (LShape(), 3.0, 8.0),
    "two squares": (Union(Rectangle((0, 2), (0, 2)), Rectangle((1, 3), (1, 3))), 7.0, 12.0),
    "two disks": (LENSES, 2 * math.pi - LENS, 8 * math.pi / 3),
    "hole": (HOLE, 2 - math.pi / 16, 6 + math.pi / 2),
    "half a disk": (BITE, math.pi / 2, math.pi + 2),
    "two holes": (Difference(HOLE, Disk((1.5, 0.5), 0.25)), 2 - math.pi / 8, 6 + math.pi),
}
ALL = pytest.mark.parametrize(("shape", "area", "length"), SHAPES.values(), ids=SHAPES)


def boxed(shape, count):
    low, high = (torch.tensor(ends, dtype=torch.float64) for ends in zip(*shape.bounds.values(), strict=True))
    return low + (high - low) * unit_points(count, "sobol", 0)[:, :2], float((high - low).prod())


@ALL
def test_area_and_length_by_counting(shape, area, length):
    points, box = boxed(shape, 2**14)
    assert box * float(shape.inside(points).double().mean()) == pytest.approx(area, rel=0.01)
    unit = unit_points(2**12, "sobol", 1)[:, 0]
    found, _ = shape.boundary_points(unit)
    assert shape.length * len(found) / len(unit) == pytest.approx(length, rel=0.01)


@ALL
def test_normals_are_unit_and_point_out_of_the_boundary(shape, area, length):
    points, normals = shape.boundary_points(unit_points(1000, "uniform", 2)[:, 0])
    torch.testing.assert_close(normals.norm(dim=1), torch.ones(len(points), dtype=torch.float64))
    assert shape.distance(*points.unbind(1)).abs().max() < 1e-7
    assert not shape.inside(points + 1e-6 * normals).any() and shape.inside(points - 1e-6 * normals).all()


@ALL
def test_the_divergence_theorem_holds(shape, area, length):
    """Area = half the integral of p . n along the boundary."""
    unit = unit_points(2**13, "sobol", 3)[:, 0]
    points, normals = shape.boundary_points(unit)
    flux = shape.length * float((points * normals).sum()) / len(unit)
    assert flux / 2 == pytest.approx(area, rel=0.01)


@ALL
def test_distance_has_the_sign_of_inside_and_slope_one_at_the_boundary(shape, area, length):
    points, _ = boxed(shape, 2000)
    assert ((shape.distance(*points.unbind(1)) > 0) == shape.inside(points)).all()
    points, normals = shape.boundary_points(unit_points(400, "sobol", 4)[:, 0])
    h = 1e-4
    slope = shape.distance(*(points - h * normals).unbind(1)) / h
    assert float((slope - 1).abs().median()) < 1e-2  # not near corners


@ALL
def test_distance_goes_through_jets(shape, area, length):
    points, _ = boxed(shape, 600)
    points = points[shape.inside(points)]
    inner = points[shape.distance(*points.unbind(1)) > 0.05][:100]
    jet = jet_of(inner, JetSpace(("x", "y"), frozenset({"x", "y", "laplacian"})))
    found = shape.distance(jet[..., 0:1], jet[..., 1:2])
    moved = inner.clone().requires_grad_()
    value = shape.distance(moved[:, 0:1], moved[:, 1:2])
    (slope,) = torch.autograd.grad(value.sum(), moved, create_graph=True)
    second = [torch.autograd.grad(slope[:, c].sum(), moved, retain_graph=True)[0][:, c] for c in (0, 1)]
    torch.testing.assert_close(found[""], value.detach())
    torch.testing.assert_close(torch.cat([found["x"], found["y"]], 1), slope.detach())
    torch.testing.assert_close(found["laplacian"][:, 0], sum(second), rtol=1e-8, atol=1e-8)


class Plane(Problem):
    """A problem with a known solution on a shape."""

    constants = {}

    def __init__(self, geometry, exact, source):
        self.geometry, self.bounds, self.exact, self.source = geometry, geometry.bounds, exact, source

    def equation(self, u, points):
        return u.laplacian - self.source(points.x, points.y)

    def factor(self, x):
        return self.geometry.distance(x.x, x.y)

    def conditions(self):
        return {"wall": Condition(lambda u, p: u.value - self.exact(p.x, p.y), on_boundary=True)}

    def reference(self):
        points, _ = boxed(self.geometry, 2000)
        points = points[self.geometry.inside(points)]
        return Reference(points, self.exact(*points.unbind(1))[:, None], 1e-15)


def fitted(problem, sizes, steps, count, hard, **kwargs):
    torch.manual_seed(0)
    task = PhysicsInformed(problem, MLP(2, 1, sizes).double(), LevenbergMarquardt, hard, **kwargs)
    solver = LevenbergMarquardt(task.net.parameters())
    for step in range(steps):
        points = task.placed(unit_points(count, "sobol", step))
        solver.step(lambda points=points: task._linearised(points, solver))
    return float(task.relative_error())


def test_poisson_on_a_disk_with_the_condition_built_in():
    # u = (1 - r^2) e^x: Laplacian e^x (1 - r^2 - 4 x - 4).
    problem = Plane(
        Disk(),
        lambda x, y: (1 - x * x - y * y) * torch.exp(x),
        lambda x, y: torch.exp(x) * (-3 - x * x - y * y - 4 * x),
    )
    assert fitted(problem, [8, 8], 70, 400, True) < 1e-5


def test_a_normal_derivative_on_a_disk():
    """u - Laplacian of u = 0 with u_n given all round; u = e^x."""

    class Neumann(Plane):
        def equation(self, u, points):
            return u.laplacian - u.value

        def conditions(self):
            return {"slope": Condition(lambda u, p: u.x * p.nx + u.y * p.ny - p.nx * torch.exp(p.x), on_boundary=True)}

    assert fitted(Neumann(Disk(), lambda x, y: torch.exp(x), None), [8, 8], 30, 150, False) < 1e-4


def corner(x, y):
    """r^(2/3) sin(2/3 theta), theta from the positive x axis round to the negative y axis."""
    theta = torch.atan2(y, x) % (2 * math.pi)
    return (x * x + y * y) ** (1 / 3) * torch.sin(2 / 3 * theta)


def test_the_singular_corner_of_the_l_shape():
    problem = Plane(LShape(), corner, lambda x, y: 0 * x)
    problem.crowd = {"x": 0.0, "y": 0.0}
    assert fitted(problem, [10, 10], 80, 600, False, weights={"wall": 1000.0}) < 1e-2


def test_symmetry_halves_points_inside_and_on_the_boundary():
    problem = Plane(Disk(), None, None)
    inside = problem.placed(unit_points(500, "sobol", 0), ("x",))
    on = problem.placed(unit_points(500, "sobol", 0), ("x",), on_boundary=True)
    assert inside.shape[1] == 2 and on.shape[1] == 4
    assert inside[:, 0].min() >= 0 and on[:, 0].min() >= 0 and inside[:, 1].min() < -0.9
    assert len(inside) == pytest.approx(500 * math.pi / 4, rel=0.05) and len(on) == pytest.approx(250, rel=0.05)


def test_time_goes_with_the_boundary():
    problem = Plane(HOLE, None, None)
    problem.bounds = {"t": (0.0, 5.0), **HOLE.bounds}
    unit = unit_points(256, "sobol", 0)
    on = problem.placed(unit, on_boundary=True)
    assert on.shape[1] == 5 and 4.9 < float(on[:, 0].max()) <= 5.0
    drawn = HOLE.curve_points(unit[:, 1])
    torch.testing.assert_close(on[:, 0], 5 * unit[:, 0][drawn.kept_N])
    torch.testing.assert_close(on[:, 3:], drawn.normals_N2[drawn.kept_N])


def test_common_mistakes():
    flat = Plane(Disk(), None, None)
    flat.geometry = None
    narrow = Plane(Disk(), None, None)
    narrow.bounds = {"x": (-1.0, 0.5), "y": (-1.0, 1.0)}
    far = Plane(Disk((0.0, 0.0), 0.01), None, None)
    far.bounds = {"x": (-1.0, 1.0), "y": (-1.0, 1.0)}
    for act, says in [
        (lambda: Disk(radius=0.0), "Disk.radius: expected more than 0"),
        (lambda: Polygon([(0, 0), (1, 1)]), "Polygon.corners: expected three or more"),
        (lambda: Polygon([(0, 0), (1, 1), (2, 2)]), "Polygon.corners: expected three or more around an area"),
        (lambda: flat.trained_conditions(False), "expected a geometry to be on the boundary of"),
        (lambda: narrow.trained_conditions(False), "expected x from -1.0 to 1.0, as the geometry needs"),
        (lambda: far.placed(unit_points(4, "sobol", 0)), "expected some in Plane.geometry"),
    ]:
        with pytest.raises(InputError, match=says):
            act()
