"""Helmholtz, Kovasznay, Taylor-Green and cavity flow, Robertson's reactions, and nets of random features."""

import json
import math
from types import SimpleNamespace

import pytest
import torch
from scipy.interpolate import CubicSpline

from tasks.pde.ansatz import Ansatz
from tasks.pde.data import unit_points
from tasks.pde.fields import rows_at
from tasks.pde.flow import velocities, vorticity_transport
from tasks.pde.networks import MLP, RandomFeatures
from tasks.pde.problems import Cavity, Helmholtz, Kovasznay, Robertson, TaylorGreen
from tasks.pde.problems.cavity import fade
from tasks.pde.problems.corner import corner_flow, corner_terms, waves
from zoo.cli.main import main
from zoo.derivatives import JetSpace, jet_of
from zoo.errors import InputError


def columns(problem, x):
    return type("P", (), {c: x[..., i : i + 1] for i, c in enumerate(problem.coordinates)})


EXACT = [
    (Helmholtz(2, 3, 1.5), lambda x: Helmholtz(2, 3).exact(columns(Helmholtz(), x))),
    (Kovasznay(40.0), lambda x: Kovasznay(40.0).exact(columns(Kovasznay(), x))),
    (TaylorGreen(0.1), lambda x: torch.cos(x[..., 1:2]) * torch.cos(x[..., 2:3]) * torch.exp(x[..., 0:1] * -0.2)),
]


@pytest.mark.parametrize(("problem", "solution"), EXACT, ids=lambda v: type(v).__name__)
def test_exact_solutions_have_no_residual_and_perturbed_ones_have(problem, solution):
    points = problem.placed(unit_points(100, "uniform", 0))
    x = jet_of(points, problem.space)
    u = solution(x)
    assert problem.residual(u, points, problem.constants).abs().max() < 1e-9
    wrong = u + torch.sin(x[..., 0:1] * 3) * torch.sin(x[..., 1:2] * 2) * 1e-3
    assert problem.residual(wrong, points, problem.constants).abs().max() > 1e-4


@pytest.mark.parametrize(("problem", "solution"), EXACT, ids=lambda v: type(v).__name__)
def test_what_is_observed_of_the_exact_solution_is_the_reference(problem, solution):
    reference = problem.reference()
    space = problem.space_asked(problem.observed, "observed", constants=False)
    found = rows_at(problem.observed, solution(jet_of(reference.points_ND, space)), reference.points_ND, {})
    torch.testing.assert_close(found, reference.values_NK, rtol=0, atol=1e-12)


def test_kovasznays_conditions_are_met_by_the_exact_flow_alone():
    problem, (_, solution) = Kovasznay(), EXACT[1]
    for condition in problem.conditions().values():
        points = problem.placed(unit_points(20, "uniform", 0), at=condition.at)
        x = jet_of(points, problem.space_asked(condition.residual, "condition"))
        for psi, most, least in ((solution(x), 1e-13, 0.0), (solution(x) + x[..., 1:2] * 0.01, 1.0, 0.009)):
            assert least <= rows_at(condition.residual, psi, points, problem.constants).abs().max() < most


@pytest.mark.parametrize("problem", [Helmholtz(), TaylorGreen()], ids=lambda p: type(p).__name__)
def test_conditions_hold_whatever_the_net(problem):
    u = Ansatz(MLP(len(problem.bounds), 1).double(), problem, True)
    for condition in problem.conditions().values():
        points = problem.placed(unit_points(50, "uniform", 0), at=condition.at)
        space = problem.space_asked(condition.residual, "condition")
        assert rows_at(condition.residual, u(jet_of(points, space)), points, problem.constants).abs().max() < 1e-12


def test_the_cavitys_walls_hold_the_flow_whatever_the_net():
    problem = Cavity(100.0)
    net = MLP(2, 1).double()
    inside, zero, one = torch.linspace(0.05, 0.95, 19).double(), torch.zeros(19).double(), torch.ones(19).double()
    for x, y, u in [(inside, one, 1.0), (inside, zero, 0.0), (zero, inside, 0.0), (one, inside, 0.0)]:
        points = torch.stack([x, y], 1)
        psi = Ansatz(net, problem, True)(jet_of(points, JetSpace(("x", "y"), frozenset({"x", "y"}))))
        found = rows_at(lambda psi, points: velocities(psi), psi, points, {})
        expected = torch.tensor([u, 0.0], dtype=torch.float64).expand(19, 2)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_the_cavitys_residual_is_the_transport_of_vorticity_less_and_less_towards_the_walls():
    problem = Cavity(100.0)
    middle, near, wall = [0.5, 0.5], [0.1, 0.8], [1.0, 0.3]
    points = torch.tensor([middle, near, wall], dtype=torch.float64)
    x = jet_of(points, problem.space)
    psi = torch.sin(x[..., 0:1] * 2) * torch.cos(x[..., 1:2] * 3)
    full = rows_at(lambda psi, points: vorticity_transport(psi, 0.01), psi, points, {})
    share = torch.tensor([1.0, 16 * 0.1 * 0.9 * 0.8 * 0.2, 0.0], dtype=torch.float64)
    torch.testing.assert_close(problem.residual(psi, points, problem.constants), full * share[:, None])


def test_a_stream_functions_flow_keeps_its_mass():
    points = unit_points(30, "uniform", 0)[:, :2]
    psi = MLP(2, 1).double()
    h = 1e-5

    def flow(shift):
        moved = jet_of(points + torch.tensor(shift, dtype=torch.float64), JetSpace(("x", "y"), frozenset({"x", "y"})))
        return rows_at(lambda psi, points: velocities(psi), psi(moved), points, {})

    u_x = (flow([h, 0.0]) - flow([-h, 0.0]))[:, 0] / (2 * h)
    v_y = (flow([0.0, h]) - flow([0.0, -h]))[:, 1] / (2 * h)
    assert (u_x + v_y).abs().max() < 1e-8 < u_x.abs().max()


def test_the_corners_slow_flow_is_taylors():
    angle = torch.linspace(0, math.pi / 2, 9, dtype=torch.float64).numpy()
    b, c, d = (part / (math.pi**2 - 4) for part in (-(math.pi**2), 4.0, 2 * math.pi))
    closed = b * torch.from_numpy(angle).sin() + torch.from_numpy(angle) * (
        c * torch.from_numpy(angle).cos() + d * torch.from_numpy(angle).sin()
    )
    torch.testing.assert_close(torch.from_numpy(waves(angle) @ corner_terms(0)[0]), closed, rtol=0, atol=1e-10)


@pytest.mark.parametrize("highest", [0, 1, 2])
def test_every_term_of_the_corners_flow_makes_the_residual_smaller_by_one_power_of_r(highest):
    space = Cavity().space

    def residual(r):
        points = torch.tensor([[0.6, 0.8], [0.9, 0.3]], dtype=torch.float64) * r
        x = jet_of(points, space)
        psi = sum(corner_flow(x[..., 0:1], x[..., 1:2], 1.0, highest))
        return rows_at(lambda psi, points: vorticity_transport(psi, 1.0), psi, points, {}).norm()

    power = math.log(float(residual(0.4) / residual(0.1))) / math.log(4)
    assert power == pytest.approx(highest - 2, abs=0.15)


def test_fade_is_flat_at_both_ends():
    x = torch.tensor([[0.0], [1.0], [0.3]], dtype=torch.float64)
    one = fade(jet_of(x, JetSpace(("x",), frozenset({"xxx"}))))
    torch.testing.assert_close(one[""][:2, 0], torch.tensor([1.0, 0.0], dtype=torch.float64))
    assert all(one[name][:2].abs().max() < 1e-9 < one[name][2].abs() for name in ("x", "xx", "xxx"))
    torch.testing.assert_close(fade(x) + fade(1 - x), torch.ones_like(x))


def test_robertsons_equation_is_met_by_the_reference_and_not_beside_it():
    problem = Robertson()
    reference = problem.reference()
    s, (_, z, y_3) = reference.points_ND[:, 0], reference.values_NK.unbind(1)

    def residual(y_3, w):
        slopes = (torch.from_numpy(CubicSpline(s, one)(s, 1))[20:-20] for one in (y_3, w))
        fields = [SimpleNamespace(value=one[20:-20], s=slope) for one, slope in zip((y_3, w), slopes, strict=True)]
        return problem.equation(*fields, SimpleNamespace(s=s[20:-20])).abs().amax(0)

    assert residual(y_3, z.log()).max() < 1e-5
    assert residual(y_3 * 1.01, z.log())[0] > 1e-4 and residual(y_3, z.log() + 0.01)[1] > 1e-3
    assert reference.error < 1e-8


def test_robertsons_reactions_start_from_the_first_alone_whatever_the_net():
    problem = Robertson()
    s = torch.tensor([[math.log(1e-9)], [math.log(1e-7)]], dtype=torch.float64)
    u = Ansatz(MLP(1, 2).double(), problem, True)(jet_of(s, JetSpace(("s",), frozenset({"s"}))))
    y_1, z, y_3 = rows_at(problem.observed, u, s, {}).unbind(1)
    torch.testing.assert_close(z, 400 * s[:, 0].exp(), rtol=1e-6, atol=0)  # y_2' = 0.04 y_1 at the start
    assert (1 - y_1).abs().max() < 1e-8 and y_3.abs().max() < 1e-15
    torch.testing.assert_close(u["s"][:, 1], torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-6)


def test_random_features_train_their_output_alone():
    net = RandomFeatures(2, 1, width=7, scale=3.0)
    assert {name for name, p in net.named_parameters() if p.requires_grad} == {"output.weight", "output.bias"}
    assert net.hidden.weight.abs().max() <= 3 and net(torch.rand(4, 2)).abs().max() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "bar"),
    [
        ("poisson_features", 1e-12),
        ("heat_features", 1e-9),
        ("helmholtz", 1e-7),
        ("taylor_green", 1e-6),
        ("kovasznay", 1e-6),
        ("robertson", 1e-5),
    ],
)
def test_recipes_reach_solver_accuracy(tmp_path, monkeypatch, recipe, bar):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    assert main(["fit", f"pde/{recipe}"]) == 0
    metrics = json.loads((tmp_path / "runs" / "pde" / recipe / "1" / "metrics.json").read_text())
    assert metrics["test/relative_l2"] < bar


def test_stretched_features_are_plain_ones_of_the_tangent():
    plain, stretched = (RandomFeatures(2, 1, 9, 3.0, stretch=c).double() for c in (0.0, 1.0))
    torch.nn.init.normal_(plain.output.weight)
    stretched.load_state_dict(plain.state_dict())
    points = torch.rand(20, 2, dtype=torch.float64) * 2 - 1
    expected = plain(torch.tan(points) / math.tan(1.0))
    torch.testing.assert_close(stretched(points), expected, atol=1e-12, rtol=0)
    with pytest.raises(InputError, match=r"net\.stretch: expected a number"):
        RandomFeatures(stretch=1.6)


def test_the_walls_weight_of_the_cavity_is_a_power():
    once, twice = Cavity(wall_power=1), Cavity(wall_power=2)
    points = once.placed(unit_points(50, "uniform", 0))
    psi = torch.sin(jet_of(points, once.space)[..., 0:1] * 3) * jet_of(points, once.space)[..., 1:2]
    x, y = points[:, :1], points[:, 1:]
    rows = [problem.residual(psi, points, problem.constants) for problem in (once, twice)]
    torch.testing.assert_close(rows[1], rows[0] * 16 * x * (1 - x) * y * (1 - y), atol=1e-12, rtol=1e-12)
    with pytest.raises(InputError, match="wall_power: expected 0 or more"):
        Cavity(wall_power=-1)
