"""Operators: solvers, DeepONet, least squares for its heads, losses, training, transfer."""

import copy
import json
import math
from functools import partial

import numpy as np
import pytest
import torch

from tasks.pde.networks import DeepONet
from tasks.pde.operators.ansatz import OperatorAnsatz, combined
from tasks.pde.operators.chebyshev import (
    chebyshev_nodes,
    differentiation_matrix,
    integration_matrix,
    interpolation_matrix,
)
from tasks.pde.operators.criteria import Batch, Data, Physics, Transfer
from tasks.pde.operators.data import OperatorData
from tasks.pde.operators.explain import bumps, sensitivity, solver_sensitivity
from tasks.pde.operators.heads import LeastSquaresHeads
from tasks.pde.operators.least_squares import balanced, least_squares_core
from tasks.pde.operators.losses import conditional_discrepancy, relative_l2
from tasks.pde.operators.problems import Antiderivative, ReactionDiffusion, Solution, corner_layer
from tasks.pde.operators.random_fields import Functions, gaussian_field
from tasks.pde.operators.reaction_diffusion import reaction_diffusion
from tasks.pde.operators.task import OperatorLearning
from zoo.cli.main import main
from zoo.errors import InputError

close = partial(torch.testing.assert_close, rtol=0)
ADAM = partial(torch.optim.Adam, lr=1e-3)


def on_nodes(function, nodes=40):
    return Functions(function(chebyshev_nodes(nodes))[None])


def ansatz(problem, hard=True, **sizes):
    sizes = {"sensors": 20, "terms": 6, "branch_sizes": [8], "trunk_sizes": [9], **sizes}
    return OperatorAnsatz(DeepONet(coordinates=len(problem.coordinates), **sizes).double(), problem, hard)


def error_of(net, batch):
    with torch.no_grad():
        return float(relative_l2(net(batch.sensors_BM, batch.points)[0], batch.solution_BQ).mean())


# Functions and solvers


def test_chebyshev_matrices_are_exact_for_smooth_functions():
    nodes, x = chebyshev_nodes(24), torch.tensor([0.0, 0.123, 0.5, 1.0], dtype=torch.float64)
    close(interpolation_matrix(24, x) @ torch.exp(nodes), torch.exp(x), atol=1e-13)
    close(integration_matrix(24, x) @ torch.exp(nodes), torch.exp(x) - 1, atol=1e-13)
    close(differentiation_matrix(24) @ torch.exp(nodes), torch.exp(nodes), atol=1e-10)


def test_the_field_has_its_covariance_and_is_the_seed_s_alone():
    x = torch.tensor([0.1, 0.25, 0.8], dtype=torch.float64)
    values = gaussian_field(40000, 3).at(x)
    expected = torch.exp(-((x[:, None] - x) ** 2) / (2 * 0.2**2))
    close(values.t() @ values / 40000, expected, atol=0.03)
    assert values.equal(gaussian_field(40000, 3).at(x)) and not values[:5].equal(gaussian_field(5, 4).at(x))
    own = gaussian_field(3, 0).at(x.expand(3, 3))
    close(own, gaussian_field(3, 0).at(x), atol=1e-14)


def test_the_antiderivative_of_a_cosine_is_a_sine():
    x = torch.linspace(0, 1, 11, dtype=torch.float64)
    found = Antiderivative().solution(on_nodes(lambda x: torch.cos(3 * x)), [11])
    close(found[0], torch.sin(3 * x) / 3, atol=1e-13)
    assert Antiderivative().solution_error <= 1e-12


def test_diffusion_of_a_sine_is_exact():
    x = torch.linspace(0, 1, 9, dtype=torch.float64)
    t = torch.linspace(0, 1, 6, dtype=torch.float64)[:, None]
    found = reaction_diffusion(on_nodes(lambda x: torch.sin(math.pi * x)), 0.3, 0.0, 5, x)
    rate = 0.3 * math.pi**2
    close(found[0], (1 - torch.exp(-rate * t)) / rate * torch.sin(math.pi * x), atol=1e-12)


def test_the_reaction_is_met_as_finite_differences_see_it():
    d, k, h = 0.05, 0.5, 1 / 64
    source = gaussian_field(3, 0)
    x = torch.linspace(0, 1, 65, dtype=torch.float64)
    u = ReactionDiffusion(d, k).solution(source, [65, 65]).unflatten(1, (65, 65))
    weights = torch.tensor([1.0, -8.0, 0.0, 8.0, -1.0], dtype=torch.float64) / (12 * h)
    second = torch.tensor([-1.0, 16.0, -30.0, 16.0, -1.0], dtype=torch.float64) / (12 * h * h)
    u_t = torch.einsum("s,bsx->bx", weights, u[:, 30:35, 16:49])
    u_xx = torch.stack([u[:, 32, 16 + s - 2 : 49 + s - 2] * second[s] for s in range(5)]).sum(0)
    residual = u_t - d * u_xx - k * u[:, 32, 16:49] ** 2 - source.at(x[16:49])
    assert residual.abs().max() < 1e-4 * source.at(x).abs().max()


def test_the_solver_converges_at_fourth_order_and_says_its_error():
    x = torch.linspace(0, 1, 21, dtype=torch.float64)
    fine = reaction_diffusion(gaussian_field(3, 0), 0.01, 0.5, 320, x)[:, -1]
    errors = [(reaction_diffusion(gaussian_field(3, 0), 0.01, 0.5, n, x)[:, -1] - fine).norm() for n in (5, 10, 20)]
    order = np.polyfit(np.log([5, 10, 20]), np.log(errors), 1)[0]
    assert order < -3.5
    assert ReactionDiffusion().solution_error < 1e-10


# Structure


def test_the_corner_layer_solves_the_heat_equation_and_its_derivatives_are_those_of_autograd():
    t, x = (torch.rand(50, dtype=torch.float64, requires_grad=True) for _ in range(2))
    layer = corner_layer(t, x, 0.07)
    b_t, b_x = torch.autograd.grad(layer[""].sum(), (t, x), create_graph=True)
    (b_xx,) = torch.autograd.grad(b_x.sum(), x)
    for found, name in ((b_t, "t"), (b_x, "x"), (b_xx, "xx")):
        close(layer[name], found, atol=1e-9)
    close(b_t, 0.07 * b_xx, atol=1e-9)
    close(corner_layer(t, 0 * x, 0.07)[""], t, atol=1e-14)
    assert corner_layer(0 * t, x, 0.07)[""].abs().max() < 1e-12


def test_the_lift_takes_the_corner_out_of_the_solution():
    problem = ReactionDiffusion(0.01, 0.0)
    grid = [21, 41]
    data = OperatorData(problem, functions=4, points=21 * 41, grid=grid, seed=0)
    data.setup()
    points, inputs = data.grid_GD, data.inputs("train")
    lifts = problem.lift(points, problem.space)
    rest = lifts[problem.space.place("t")] - 0.01 * lifts[problem.space.place("xx")]
    x = points[:, 1]
    close(rest[points[:, 0] > 0], torch.stack([1 - x, x], 1)[points[:, 0] > 0], atol=1e-12)
    lifted = problem.solution(inputs, grid) - data.at_sensors(inputs)[:, [0, -1]] @ lifts[0].t()
    early = (points[:, 0] > 0) & (points[:, 0] < 0.06)  # without the corner it is t u(x) and no layer
    near = early & (x < 0.03) & (x > 0)
    straight = points[near, 0] * (inputs.at(x[near]) - inputs.at(x[:1]) * (1 - x[near]) - inputs.at(x[-1:]) * x[near])
    assert (lifted[:, near] - straight).abs().max() < 0.02 * points[near, 0].max()


@pytest.mark.parametrize("problem", [Antiderivative(), ReactionDiffusion()], ids=lambda p: type(p).__name__)
def test_conditions_hold_whatever_the_net(problem):
    points = problem.on_conditions(torch.rand(60, len(problem.coordinates), dtype=torch.float64))
    assert ansatz(problem)(torch.rand(3, 20).double(), points).abs().max() < 1e-12
    assert ansatz(problem, hard=False)(torch.rand(3, 20).double(), points).abs().max() > 1e-3


@pytest.mark.parametrize("hard", [True, False])
def test_jets_of_the_operator_are_its_nested_derivatives(hard):
    problem = ReactionDiffusion(0.1, 0.2)
    net, sensors = ansatz(problem, hard), torch.randn(4, 20).double()
    points = (0.1 + 0.8 * torch.rand(7, 2).double()).requires_grad_()
    found = net(sensors, points.detach(), problem.space)
    for b in range(4):
        s = net(sensors[b : b + 1], points)[0, 0]
        (first,) = torch.autograd.grad(s.sum(), points, create_graph=True)
        (second,) = torch.autograd.grad(first[:, 1].sum(), points, retain_graph=True)
        expected = {"": s, "t": first[:, 0], "x": first[:, 1], "xx": second[:, 1]}
        for name, values in expected.items():
            close(found[problem.space.place(name), b], values, atol=1e-9)


def test_points_of_their_own_give_what_shared_points_give():
    problem = ReactionDiffusion()
    net, sensors, points = ansatz(problem), torch.randn(3, 20).double(), torch.rand(5, 2).double()
    shared, own = net(sensors, points, problem.space), net(sensors, points.expand(3, 5, 2), problem.space)
    close(own, shared, atol=1e-12)
    close(net.net(sensors, points.expand(3, 5, 2)), net.net(sensors, points), atol=1e-12)
    features = net.trunk_features(points, problem.space)
    head = torch.cat([net.net.trunk_head.weight, net.net.trunk_head.bias[:, None]], 1)
    close(features @ head.t(), net.trunk_terms(points, problem.space), atol=1e-12)


# Least squares


def random_factors(own):
    branch, trunk = torch.randn(12, 4).double(), torch.randn(*((1, 12, 6) if own else (1, 9)), 3).double()
    rows = combined(torch.randn(12, 3).double(), trunk)[0] + 0.1 * torch.randn(12, trunk.shape[-2]).double()
    return branch, trunk, rows


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("ridge", [1e-12, 0.3])
def test_least_squares_is_the_brute_force_solution(own, ridge):
    branch, trunk, rows = random_factors(own)
    left, right = least_squares_core(lambda s: s[0] - rows, branch, trunk, torch.zeros(1, *rows.shape).double(), ridge)
    each = trunk[0] if own else trunk[0].expand(12, -1, -1)
    design = torch.einsum("bh,bqf->bqhf", branch, each).flatten(0, 1).flatten(1)
    metric = torch.einsum("bqf,bqg->fg", each, each) / 12  # of |M psi|^2, the mean over functions
    damping = (ridge * torch.linalg.matrix_norm(branch, 2)) ** 2 * torch.kron(torch.eye(4).double(), metric)
    expected = torch.linalg.solve(design.t() @ design + damping, design.t() @ rows.flatten())
    close((left @ right.t()).flatten(), expected, atol=1e-6)


def test_least_squares_of_an_equation_ends_where_its_gradient_is_zero():
    problem = ReactionDiffusion(0.1, 0.5)
    net, data = (
        ansatz(problem, terms=10),
        OperatorData(problem, functions=15, points=40, sensors=20, solutions=False, seed=0),
    )
    data.setup()
    batch, criterion = data.batch("train"), Physics()
    LeastSquaresHeads(ridge=1e-6).solve(net, criterion, batch)
    loss = criterion.terms(net, batch)["equation"]
    gradients = torch.autograd.grad(loss, [net.net.branch_head.weight, net.net.trunk_head.weight])
    before = batch.source_BQ.square().mean()  # that of zero
    loss = loss.detach()
    assert float(loss) < 0.1 * float(before)
    scales = [float(head.weight.detach().norm()) for head in (net.net.branch_head, net.net.trunk_head)]
    assert all(float(g.norm()) * scale < 1e-4 * float(loss) for g, scale in zip(gradients, scales, strict=True))


@pytest.mark.parametrize("terms", [2, 5])
def test_balanced_is_the_best_product_of_so_many_terms(terms):
    left, right = torch.randn(7, 5).double(), torch.randn(6, 5).double()
    branch, trunk = torch.randn(20, 7).double(), torch.randn(30, 6).double()
    whole = branch @ left @ right.t() @ trunk.t()
    few_left, few_right = balanced(left, right, branch, trunk, terms)
    found = branch @ few_left @ few_right.t() @ trunk.t()
    tail = torch.linalg.svdvals(whole)[terms:].norm()
    assert few_left.shape == (7, terms)
    assert float((found - whole).norm()) == pytest.approx(float(tail), abs=1e-9)


def test_the_gradient_at_the_best_heads_is_that_of_the_loss_without_them():
    problem = Antiderivative()
    data = OperatorData(problem, functions=30, points=25, grid=[25], sensors=20, seed=0)
    data.setup()
    batch, net = data.batch("train"), ansatz(problem, trunk_sizes=[4], branch_sizes=[])
    heads = LeastSquaresHeads(ridge=0.0)
    weight = net.net.trunk_body[0].weight

    def eliminated(change):
        moved = copy.deepcopy(net)
        with torch.no_grad():
            moved.net.trunk_body[0].weight[1, 0] += change
        heads.solve(moved, Data(), batch)
        return float(Data().terms(moved, batch)["data"])

    heads.solve(net, Data(), batch)
    (gradient,) = torch.autograd.grad(Data().terms(net, batch)["data"], weight)
    expected = (eliminated(1e-4) - eliminated(-1e-4)) / 2e-4
    assert float(gradient[1, 0]) == pytest.approx(expected, rel=1e-3)


# Losses


def test_the_discrepancy_is_zero_for_one_distribution_and_grows_with_the_shift():
    x, y = torch.randn(9, 3).double(), torch.randn(9, 4).double()
    order = torch.randperm(9)
    assert abs(float(conditional_discrepancy(x, y, x[order], y[order]))) < 1e-12
    shifts = [float(conditional_discrepancy(x, y, x, y + c)) for c in (0.1, 0.5, 2.0)]
    assert 0 < shifts[0] < shifts[1] < shifts[2]


def test_the_discrepancy_is_the_sum_over_all_pairs():
    x, y, p, q = (torch.randn(n, d).double() for n, d in ((5, 2), (5, 3), (4, 2), (4, 3)))
    found = float(conditional_discrepancy(x, y, p, q, damping=0.2))

    def median(a):
        return np.median([float((a[i] - a[j]).square().sum()) for i in range(5) for j in range(i)])

    def kernel(a, b, width):
        return np.exp([[-float((u - v).square().sum()) / width for v in b] for u in a])

    def inverse(a):
        return np.linalg.inv(kernel(a, a, width_x) + len(a) * 0.2 * np.eye(len(a)))

    # torch's median of an even number is the lower middle one
    pairs = sorted(float((x[i] - x[j]).square().sum()) for i in range(5) for j in range(i))
    width_x = pairs[4]
    width_y = sorted(float((y[i] - y[j]).square().sum()) for i in range(5) for j in range(i))[4]
    weights = np.zeros((9, 9))
    weights[:5, :5], weights[5:, 5:] = inverse(x), -inverse(p)
    k, l = kernel(torch.cat([x, p]), torch.cat([x, p]), width_x), kernel(torch.cat([y, q]), torch.cat([y, q]), width_y)
    expected = sum(
        weights[i, j] * weights[m, n] * l[i, m] * k[j, n]
        for i in range(9)
        for j in range(9)
        for m in range(9)
        for n in range(9)
    )
    assert found == pytest.approx(expected, rel=1e-9)


def test_transfer_is_the_sum_of_its_terms_and_physics_weighs_soft_conditions():
    problem = ReactionDiffusion()
    data = OperatorData(problem, functions=6, points=30, others=5, sensors=20, seed=0)
    data.setup()
    batch, net = data.batch("train"), ansatz(problem)
    terms = Transfer(discrepancy_weight=3.0).terms(net, batch)
    assert float(terms["relative_l2"]) == pytest.approx(error_of(net, batch))
    one = Transfer(discrepancy_weight=1.0).terms(net, batch)["discrepancy"]
    assert float(terms["discrepancy"]) == pytest.approx(3 * float(one))
    assert set(Transfer(0.0).terms(net, batch)) == {"relative_l2"}
    soft = ansatz(problem, hard=False)
    light, heavy = (Physics(w).terms(soft, batch)["conditions"] for w in (1.0, 5.0))
    assert float(heavy) == pytest.approx(5 * float(light)) and set(Physics().terms(net, batch)) == {"equation"}


def test_the_solution_meets_its_equation_in_the_form_of_the_criterion():
    """The residual of s = t x (1 - x), with the source that this needs, is zero, and it is not for another source."""
    problem = ReactionDiffusion(0.03, 0.4)
    points = torch.rand(20, 2).double()
    t, x = points.unbind(1)
    values = {"": t * x * (1 - x), "t": x * (1 - x), "x": t * (1 - 2 * x), "xx": -2 * t}
    s = torch.stack([values[name] for name in problem.space.names])[:, None]
    source = (x * (1 - x) + 0.06 * t - 0.4 * values[""] ** 2)[None]
    close(problem.equation(Solution(problem.space, s), source), torch.zeros(1, 20).double(), atol=1e-14)
    residual = Physics().residual(problem, s, Batch(source, 2 * source, points))
    close(residual, -source, atol=1e-14)


# Learning


def test_heads_by_least_squares_learn_the_antiderivative():
    problem = Antiderivative()
    data = OperatorData(problem, functions=150, points=50, grid=[51], sensors=50, test_functions=50, seed=0)
    data.setup()
    net = ansatz(problem, sensors=50, terms=30, branch_sizes=[], trunk_sizes=[60], trunk_scale=6.0)
    LeastSquaresHeads().solve(net, Data(), data.batch("train"))
    assert error_of(net, data.batch("test")) < 1e-7
    unaligned = OperatorData(problem, functions=3000, points=1, own_points=True, grid=[51], sensors=50, seed=0)
    unaligned.setup()
    again = ansatz(problem, sensors=50, terms=30, branch_sizes=[], trunk_sizes=[60], trunk_scale=6.0)
    LeastSquaresHeads().solve(again, Data(), unaligned.batch("train"))
    assert error_of(again, data.batch("test")) < 1e-6


@pytest.mark.parametrize(("criterion", "bar"), [(Data(), 3e-3), (Physics(), 5e-3)])
def test_heads_by_least_squares_learn_a_nonlinear_operator(criterion, bar):
    problem = ReactionDiffusion(0.05, 0.1)
    data = OperatorData(
        problem,
        functions=150,
        points=250,
        test_functions=30,
        solutions=criterion.needs_solutions,
        grid=[21, 21],
        seed=0,
    )
    data.setup()
    net = ansatz(problem, sensors=100, terms=40, branch_sizes=[60], trunk_sizes=[80])
    LeastSquaresHeads().solve(net, criterion, data.batch("train"))
    assert error_of(net, data.batch("test")) < bar


def test_float32_learns_too():
    problem = Antiderivative()
    data = OperatorData(problem, functions=100, points=50, grid=[51], sensors=50, test_functions=20, seed=0)
    data.setup()
    net = ansatz(problem, sensors=50, terms=20, branch_sizes=[], trunk_sizes=[40], trunk_scale=6.0).float()
    as32 = [Batch(*[None if p is None else p.float() for p in data.batch(part)]) for part in ("train", "test")]
    LeastSquaresHeads().solve(net, Data(), as32[0])
    assert error_of(net, as32[1]) < 1e-3


def test_sensitivity_is_a_difference_of_answers_and_the_solver_s_is_an_integral():
    problem = ReactionDiffusion()
    net, sensors, points = ansatz(problem), torch.randn(20).double(), torch.rand(6, 2).double()
    directions = torch.randn(3, 20).double()
    found = sensitivity(net, sensors, points, directions)
    h = 1e-5
    expected = (net(sensors + h * directions, points)[0] - net(sensors - h * directions, points)[0]) / (2 * h)
    close(found, expected, atol=1e-7)
    inputs = gaussian_field(1, 0)
    places = bumps(3, inputs.values_BN.shape[1], 0.2)
    found = solver_sensitivity(Antiderivative(), inputs, places, [11])
    x, scale = torch.linspace(0, 1, 11, dtype=torch.float64), 0.2 * 2**0.5
    for k, centre in enumerate((0.0, 0.5, 1.0)):
        integral = scale * math.pi**0.5 / 2 * (torch.erf((x - centre) / scale) - math.erf(-centre / scale))
        close(found[k], integral, atol=1e-9)


SIZES = {"terms": 40, "branch_sizes": [100], "trunk_sizes": [100], "sensors": 100}


def moved(functions, ridge=1e-9):
    """Errors on another diffusion and reaction: before, corrected, and from scratch, from a few solutions."""
    source = ReactionDiffusion(0.05, 0.05)
    data = OperatorData(source, functions=200, points=400, grid=[21, 21], seed=0)
    data.setup()
    learned = ansatz(source, **SIZES)
    LeastSquaresHeads().solve(learned, Data(), data.batch("train"))
    target = ReactionDiffusion(0.07, 0.1)
    few = OperatorData(target, functions=functions, points=400, grid=[21, 21], test_functions=50, seed=7)
    few.setup()
    before, scratch = OperatorAnsatz(learned.net, target, True), ansatz(target, **SIZES)
    corrected = copy.deepcopy(before)
    LeastSquaresHeads(correct=True, ridge=ridge).solve(corrected, Data(), few.batch("train"))
    LeastSquaresHeads(ridge=ridge).solve(scratch, Data(), few.batch("train"))
    return [error_of(net, few.batch("test")) for net in (before, corrected, scratch)], few


def test_a_correction_from_a_few_solutions_beats_the_source_and_starting_from_scratch():
    (before, corrected, scratch), _ = moved(15)
    assert corrected < 0.5 * scratch and corrected < 0.2 * before


# Runs


@pytest.fixture
def at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    return tmp_path


SMALL = ["--model.net.trunk_sizes=[30]", "--model.net.terms=15", "--data.test_functions=20", "--data.val_functions=9"]


def test_the_life_of_a_run(at):
    """Adam for the hidden layers, least squares for the heads; stopped and resumed it is the run never stopped."""
    words = ["fit", "pde/deeponet_antiderivative", *SMALL, "--data.steps_per_epoch=3"]
    assert main(words) == 0
    assert main([*words, "--root", "half", "--trainer.max_epochs=1"]) == 0
    assert main(["fit", "--resume", "half/pde/deeponet_antiderivative/1", "--trainer.max_epochs=2"]) == 0
    runs = [at / folder / "pde" / "deeponet_antiderivative" / "1" for folder in ("runs", "half")]
    states = [torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for run in runs]
    assert all(value.equal(states[1][name]) for name, value in states[0].items())
    assert json.loads((runs[0] / "metrics.json").read_text())["test/relative_l2"] < 1e-3
    page = (runs[0] / "report.html").read_text()
    assert "Answer for the worst function" in page and "What the answer depends on" in page
    assert main(["predict", "pde/deeponet_antiderivative"]) == 0
    assert torch.load(runs[0] / "predictions.pt", weights_only=True)["solutions"].shape == (20, 101)
    assert main(["explain", "pde/deeponet_antiderivative"]) == 0


NET = [*SMALL, "--model.net.branch_sizes=[20]", "--data.grid=[11,11]", "--data.points=60", "--data.functions=12"]


def test_transfer_starts_from_a_run_and_trains_the_layers_told(at, capsys):
    assert main(["fit", "pde/deeponet_reaction_diffusion", *NET, "--trainer.max_epochs=1"]) == 0
    words = ["fit", "pde/deeponet_transfer", *NET, "--data.steps_per_epoch=2", "--trainer.max_epochs=1"]
    assert main(words) == 0
    start, end = (
        torch.load(at / "runs" / "pde" / name / "1" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("deeponet_reaction_diffusion", "deeponet_transfer")
    )
    changed = {name for name in start if not start[name].equal(end[name])}
    assert changed == {
        f"net.net.{head}.{what}" for head in ("branch_head", "trunk_head") for what in ("weight", "bias")
    }
    assert main(["fit", "pde/deeponet_transfer_least_squares", *NET]) == 0
    assert main([*words, "--model.net.terms=14"]) == 2
    assert "checkpoint of the same net" in capsys.readouterr().err
    assert main([*words, "--model.start_from=nowhere.ckpt"]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main([*words, "--data.others=0"]) == 2
    assert "data.others: expected 1 or more" in capsys.readouterr().err


def test_common_mistakes():
    problem, net = ReactionDiffusion(), DeepONet(20, 2, 4, [5], [5])
    batch = Batch(*[part.double() for part in (torch.zeros(2, 20), torch.zeros(2, 3), torch.rand(3, 2))])
    task = partial(OperatorLearning, problem, net, ADAM)
    for act, says in [
        (lambda: DeepONet(20, 2, trunk_sizes=[]), "hidden layers in the trunk"),
        (lambda: DeepONet(20, 2, branch_sizes=[], linear_branch=False), "in the branch where linear_branch is false"),
        (lambda: OperatorLearning(Antiderivative(), net, ADAM), "coordinates: expected 1"),
        (lambda: task(trained=["branch"]), "some of branch_body"),
        (lambda: task(trained=["branch_head"], heads=LeastSquaresHeads()), "does not solve for"),
        (lambda: task(trained=[]), "model.trained"),
        (lambda: ReactionDiffusion(0.0), "expected diffusion of"),
        (lambda: ReactionDiffusion(0.01, 3.0), "reaction of -0.5 to 0.5"),
        (lambda: Physics(0.0), "condition_weight above 0"),
        (lambda: Transfer(-1.0), "discrepancy_weight of 0"),
        (lambda: LeastSquaresHeads(every=0), "every of 1"),
        (lambda: gaussian_field(2, 0, 1e-4), "length_scale"),
        (lambda: OperatorData(problem, functions=0), "data.functions"),
        (lambda: OperatorData(problem, grid=[11]), "data.grid: expected a size for each of t, x"),
        (lambda: OperatorData(problem, points=122, grid=[11, 11]), "121 at most"),
        (lambda: LeastSquaresHeads().solve(ansatz(problem), Transfer(), batch), "no sum of squares"),
        (lambda: LeastSquaresHeads().solve(ansatz(problem, hard=False), Physics(), batch), "hard_conditions"),
        (lambda: conditional_discrepancy(*[torch.zeros(1, 2)] * 4), "2 or more"),
    ]:
        with pytest.raises(InputError, match=says):
            act()


@pytest.mark.slow
def test_fine_tuning_the_heads_beats_starting_from_scratch(at):
    """The paper's transfer by Adam, against all layers from scratch by the same steps on the same few solutions."""
    assert main(["fit", "pde/deeponet_reaction_diffusion", "--trainer.max_epochs=1"]) == 0
    short = ["--trainer.max_epochs=4", "--data.test_functions=100"]
    assert main(["fit", "pde/deeponet_transfer", *short]) == 0
    words = ["--root", "scratch", "--model.start_from=null", "--model.trained=null"]
    assert main(["fit", "pde/deeponet_transfer", *short, *words]) == 0
    errors = [
        json.loads((at / root / "pde" / "deeponet_transfer" / "1" / "metrics.json").read_text())["test/relative_l2"]
        for root in ("runs", "scratch")
    ]
    assert errors[0] < 0.03 and errors[0] < 0.2 * errors[1]
