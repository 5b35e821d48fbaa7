"""Equations, ansatz, references and training of the PDE task."""

import json
import math
import sys
from functools import partial

import pytest
import torch
from torch import nn

from tasks.pde.ansatz import Ansatz
from tasks.pde.data import Collocation, unit_points
from tasks.pde.networks import MLP
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.problems import Burgers, Heat, Poisson
from tasks.pde.task import PhysicsInformed
from zoo.cli.main import main
from zoo.derivatives import JetSpace, jet_of
from zoo.errors import InputError
from zoo.optim import LevenbergMarquardt


class Exact(nn.Module):
    """A known solution in the place of a net."""

    def __init__(self, solution):
        super().__init__()
        self.solution = solution

    def forward(self, x):
        return self.solution(x)


EXACT = [
    (Heat(0.4), lambda p: torch.exp(p[..., 0:1] * (-0.4 * math.pi**2)) * torch.sin(p[..., 1:2] * math.pi)),
    (Poisson(2), lambda p: torch.sin(p[..., 0:1] * math.pi) * torch.sin(p[..., 1:2] * math.pi)),
    (Poisson(3), lambda p: Poisson(3).exact(type("P", (), {c: p[..., i : i + 1] for i, c in enumerate("xyz")}))),
    # A travelling wave of Burgers' equation.
    (Burgers(0.1), lambda p: 0.5 - torch.tanh((p[..., 1:2] - p[..., 0:1] * 0.5) * 2.5) * 0.5),
]


@pytest.mark.parametrize(("problem", "solution"), EXACT, ids=lambda v: type(v).__name__)
def test_exact_solutions_have_no_residual_and_perturbed_ones_have(problem, solution):
    points = problem.placed(unit_points(200, "uniform", 0))
    u = solution(jet_of(points, problem.space))
    assert problem.residual(u, points, problem.constants).abs().max() < 1e-11
    wrong = u + torch.sin(jet_of(points, problem.space)[..., 1:2] * 3) * 1e-3
    assert problem.residual(wrong, points, problem.constants).abs().max() > 1e-4


@pytest.mark.parametrize("problem", [Heat(), Poisson(), Burgers()], ids=lambda p: type(p).__name__)
def test_conditions_hold_whatever_the_net(problem):
    net = MLP(2, 1).double()
    u = Ansatz(net, problem, True, {})
    reference = problem.reference()
    points = reference.points_ND
    on_edge = torch.zeros(len(points), dtype=torch.bool)
    for column, (letter, (low, high)) in enumerate(problem.bounds.items()):
        on_edge |= points[:, column] == low
        on_edge |= (points[:, column] == high) & (letter != "t")
    found = u(jet_of(points[on_edge], JetSpace(problem.coordinates, frozenset())))[""]
    torch.testing.assert_close(found, reference.values_NK[on_edge], rtol=0, atol=1e-12)


def test_symmetry_is_exact_and_draws_one_half():
    problem, net = Burgers(), MLP(2, 1).double()
    u = Ansatz(net, problem, True, {"x": "odd"})
    points = problem.placed(unit_points(64, "sobol", 0), ("x",))
    assert points[:, 1].min() >= 0
    space = JetSpace(("t", "x"), frozenset({"xx"}))
    here, there = u(jet_of(points, space)), u(jet_of(points * torch.tensor([1.0, -1.0]), space))
    torch.testing.assert_close(here[""], -there[""])
    torch.testing.assert_close(here["x"], there["x"])
    even = Ansatz(MLP(2, 1).double(), Heat(), True, {"x": "even"})
    mirrored = points * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, 1.0])
    torch.testing.assert_close(even(jet_of(points, space))[""], even(jet_of(mirrored, space))[""])


@pytest.mark.parametrize("sampling", ["sobol", "uniform", "latin_hypercube"])
def test_points_fill_the_cube_and_depend_on_the_seed_alone(sampling):
    once, again, other = (unit_points(256, sampling, seed) for seed in (3, 3, 4))
    assert once.equal(again) and not once.equal(other) and once.dtype == torch.float64
    assert once.min() >= 0 and once.max() < 1 and (once.mean(0) - 0.5).abs().max() < 0.1


def test_every_batch_has_new_points_unless_told_otherwise():
    data = Collocation(points=8, steps_per_epoch=4, resample_every=2, seed=0)
    data.setup()
    first, second, third, _ = data.train_dataloader()
    assert first.equal(second) and not first.equal(third)


@pytest.mark.parametrize("crowded", [True, False])
def test_half_of_the_points_crowd_where_it_is_steep(crowded):
    problem = Burgers()
    problem.crowd = {"x": 0.0} if crowded else {}
    x = problem.placed(unit_points(4096, "sobol", 0))[:, 1]
    # |x| < 0.01: 1 % of the even half; 0.01 ** (1/3) = 21.5 % of the crowded one.
    expected = 0.5 * 0.01 + 0.5 * 0.215 if crowded else 0.01
    assert float((x.abs() < 0.01).double().mean()) == pytest.approx(expected, rel=0.1)


def fitted(problem, net, symmetry, steps, quick_points=300, **kwargs):
    torch.manual_seed(0)
    task = PhysicsInformed(problem, net.double(), LevenbergMarquardt, symmetry=symmetry, **kwargs)
    solver = LevenbergMarquardt(task.net.parameters())
    for step in range(steps):
        batch = unit_points(quick_points, "sobol", step)
        solver.step(partial(linearised, task, solver, batch))
    return task


def linearised(task, solver, batch):
    return task._linearised(task.placed(batch), solver)


def test_levenberg_marquardt_solves_poisson():
    torch.manual_seed(0)
    task = fitted(Poisson(2), MLP(2, 1, [12, 12]), {"x": "even", "y": "even"}, 60)
    assert float(task.relative_error()) < 1e-4


def test_the_error_is_never_below_that_of_the_reference():
    task = PhysicsInformed(Heat(), MLP(2, 1).double(), LevenbergMarquardt)
    points = task.problem.reference().points_ND
    task.reference = Reference(points, task.solution_at(points), 1e-3)
    assert float(task.relative_error()) == pytest.approx(1e-3)


class WrongShape(Heat):
    def equation(self, u, points, alpha):
        return (u.t - alpha * u.xx).sum()


class Unknown(Heat):
    def equation(self, u, points, alpha):
        return u.t - alpha * u.yy


@pytest.mark.parametrize(("problem", "says"), [(WrongShape(), "expected a residual"), (Unknown(), "derivative 'yy'")])
def test_a_wrong_equation_is_named(problem, says):
    with pytest.raises(InputError, match=says):
        problem.space  # noqa: B018


def test_a_problem_of_ones_own_in_a_few_lines():
    class Decay(Problem):
        bounds = {"t": (0.0, 1.0)}

        def equation(self, u, points):
            return u.t + u.value

        def offset(self, x):
            return 1.0

        def factor(self, x):
            return x.t

        def reference(self):
            t = torch.linspace(0, 1, 11, dtype=torch.float64)[:, None]
            return Reference(t, torch.exp(-t), 1e-15)

    assert float(fitted(Decay(), MLP(1, 1, [8]), {}, 40, 50).relative_error()) < 1e-4


def test_common_mistakes():
    net = MLP(2, 1)
    for act, says in [
        (lambda: PhysicsInformed(Heat(), net, LevenbergMarquardt, symmetry={"y": "odd"}), "letters among t, x"),
        (lambda: PhysicsInformed(Heat(), net, LevenbergMarquardt, slope_weight=-1.0), "slope_weight"),
        (lambda: Collocation(points=0), "of 1 or more"),
    ]:
        with pytest.raises(InputError, match=says):
            act()


QUICK = [
    "--trainer.max_epochs=3",
    "--data.points=60",
    "--data.steps_per_epoch=3",
    "--model.net.hidden_sizes=[6]",
]


def test_the_life_of_a_run(tmp_path, monkeypatch, capsys):
    """Phases in a recipe: Adam, then least squares; stopped and resumed it is the run never stopped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    (tmp_path / "phases.yaml").write_text(
        "model: {optimizer: {class_path: zoo.optim.Phases, init_args: {phases: ["
        "{optimizer: {class_path: torch.optim.Adam, init_args: {lr: 0.01}}, steps: 4}, "
        "{optimizer: {class_path: zoo.optim.LevenbergMarquardt}}]}}}"
    )
    words = ["fit", "pde/heat", "--config", "phases.yaml", *QUICK]
    assert main(words) == 0
    assert main([*words, "--root", "half", "--trainer.max_epochs=2"]) == 0
    assert main(["fit", "--resume", "half/pde/heat/1", "--trainer.max_epochs=3"]) == 0
    states = [
        torch.load(folder / "pde" / "heat" / "1" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (tmp_path / "runs", tmp_path / "half")
    ]
    assert all(value.equal(states[1][name]) for name, value in states[0].items())
    run = tmp_path / "runs" / "pde" / "heat" / "1"
    assert "Residual" in (run / "report.html").read_text()
    assert json.loads((run / "metrics.json").read_text())["test/relative_l2"] < 10
    assert main(["predict", "pde/heat"]) == 0
    assert torch.load(run / "predictions.pt", weights_only=True)["solution"].shape == (51 * 101, 1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--model.clipping", "zoo.optim.ByGlobalNorm", "--model.clipping.max_norm=1"],
            "model.clipping: expected none",
        ),
        (["--model.scheduler", "zoo.optim.WarmupDecay"], "model.scheduler: expected none"),
        (["--model.net.activation", "torch.nn.ReLU"], "a derivative order the net cannot give"),
        (["--trainer.accumulate_grad_batches", "2"], "accumulate_grad_batches: expected none"),
        (["--model.net.in_features", "3"], "expected 2 inputs and 1 outputs"),
        (["--model.net.out_features", "2"], "expected 2 inputs and 1 outputs, got 2 outputs"),
    ],
)
def test_what_least_squares_refuses(tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    assert main(["fit", "pde/heat", *QUICK, *words]) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.ckpt"))


def test_float32_is_allowed_and_its_limit_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    assert main(["fit", "pde/heat", *QUICK, "--trainer.precision=32-true"]) == 0
    assert "float32 limits" in capsys.readouterr().err


def test_a_loss_that_is_no_sum_of_squares_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    words = ["--model.optimizer", "zoo.optim.LevenbergMarquardt", "--model.clipping", "null"]
    assert main(["fit", "vision/digits", "--trainer.max_epochs=1", "--model.scheduler=null", *words]) == 2
    assert "not a sum of squares" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "bar"), [("poisson", 1e-6), ("heat", 1e-5)])
def test_recipes_reach_solver_accuracy(tmp_path, monkeypatch, recipe, bar):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    assert main(["fit", f"pde/{recipe}"]) == 0
    metrics = json.loads((tmp_path / "runs" / "pde" / recipe / "1" / "metrics.json").read_text())
    assert metrics["test/relative_l2"] < bar


def test_conditions_that_are_not_built_in_are_trained():
    task = fitted(Heat(), MLP(2, 1, [10, 10]), {"x": "even"}, 50, 300, hard_conditions=False)
    points = task.placed(unit_points(200, "sobol", 0))
    assert set(points) == {"equation", "initial", "low", "high"} and (points["initial"][:, 0] == 0).all()
    assert float(task.relative_error()) < 1e-3


def test_a_condition_outside_the_domain_is_named():
    class Outside(Heat):
        def conditions(self):
            return {"late": Condition(lambda u, points, **_: u.value, {"t": 2.0})}

    with pytest.raises(InputError, match=r"conditions\['late'\]: expected t in \(0.0, 1.0\), got 2.0"):
        PhysicsInformed(Outside(), MLP(2, 1), LevenbergMarquardt)


@pytest.mark.parametrize("kind", ["even", "odd", None])
def test_a_periodic_coordinate_goes_round_and_keeps_its_symmetry(kind):
    symmetry = {"x": kind} if kind else {}
    net = MLP(1 + (3 if kind == "even" else 6), 1).double()
    u = Ansatz(net, Burgers(), False, symmetry, periodic={"x": 3})
    points = Burgers().placed(unit_points(20, "sobol", 0))
    space = JetSpace(("t", "x"), frozenset({"xx"}))
    here, round_ = (u(jet_of(points + torch.tensor([0.0, shift]), space)) for shift in (0.0, 2.0))
    for name in ("", "x", "xx"):
        torch.testing.assert_close(here[name], round_[name])
    if kind:
        there, sign = u(jet_of(points * torch.tensor([1.0, -1.0]), space)), {"even": 1, "odd": -1}[kind]
        torch.testing.assert_close(here[""], sign * there[""])


def test_neumann_features_have_no_slope_at_the_ends():
    u = Ansatz(MLP(4, 1).double(), Heat(), False, neumann={"x": 3})
    points = torch.tensor([[0.3, 0.0], [0.7, 1.0], [0.5, 0.5]], dtype=torch.float64)
    slope = u(jet_of(points, JetSpace(("t", "x"), frozenset({"x"}))))["x"][:, 0].abs()
    assert slope[:2].max() < 1e-12 < slope[2]


class Arsinh(nn.Module):
    """Smooth, and without a rule for jets."""

    def forward(self, x):
        return torch.asinh(x)


def test_a_net_that_jets_refuse_is_solved_by_nested_autograd(capsys):
    torch.manual_seed(0)
    task = fitted(Heat(), MLP(2, 1, [8, 8], Arsinh), {"x": "even"}, 25, 100)
    assert float(task.relative_error()) < 1e-3
    assert capsys.readouterr().err.count("nested autograd") == 1


def test_conditions_that_nothing_builds_in_are_not_dropped():
    class Bare(Heat):
        offset, factor = Problem.offset, Problem.factor

    with pytest.raises(InputError, match="Bare builds none of its conditions in"):
        PhysicsInformed(Bare(), MLP(2, 1), LevenbergMarquardt)
    assert PhysicsInformed(Bare(), MLP(2, 1), LevenbergMarquardt, hard_conditions=False).conditions


def test_a_reference_of_other_shapes_is_named():
    with pytest.raises(InputError, match=r"got \[5, 2\] and \[5\]"):
        Reference(torch.zeros(5, 2), torch.zeros(5), 1e-15)
    with pytest.raises(InputError, match=r"expected 5 points, got \(2, 3\)"):
        Reference(torch.zeros(5, 2), torch.zeros(5, 1), 1e-15, (2, 3))


def test_what_a_problem_lacks_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "lacking.py").write_text(
        "from tasks.pde.problem import Problem\n\n\nclass Lacking(Problem):\n    bounds = {'t': (0.0, 1.0)}\n\n"
        "    def reference(self):\n        return None\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    assert main(["fit", "pde/heat", *QUICK, "--model.problem", "lacking.Lacking"]) == 2
    assert "expected a class with equation, got lacking.Lacking" in capsys.readouterr().err


COUPLED = {
    "equation": "    def equation(self, u, points, alpha):\n        return u.t - alpha * u.xx + u.value - u.value.mean()\n",
    "conditions['high']": (
        "    def conditions(self):\n        high = Condition(lambda u, points, **_: u.value - u.value.mean(), {'x': 1.0})\n"
        "        return {**super().conditions(), 'high': high}\n"
    ),
}


@pytest.mark.parametrize("what", COUPLED)
def test_rows_that_couple_points_are_refused_by_least_squares_alone(tmp_path, monkeypatch, capsys, what):
    (tmp_path / "coupled.py").write_text(
        "from tasks.pde.problem import Condition\nfrom tasks.pde.problems import Heat\n\n\n"
        f"class Coupled(Heat):\n{COUPLED[what]}"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    monkeypatch.delitem(sys.modules, "coupled", raising=False)
    words = ["fit", "pde/heat", *QUICK, "--model.problem", "coupled.Coupled", "--model.hard_conditions=false"]
    assert main(words) == 2
    assert f"Coupled.{what}: expected row n to depend on point n alone" in capsys.readouterr().err
    assert main([*words, "--model.optimizer=torch.optim.Adam", "--model.optimizer.lr=1e-3"]) == 0
