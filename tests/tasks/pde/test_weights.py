"""Weights of loss terms: every rule against its paper's formula, and trainings that they carry through."""

import math

import pytest
import torch
from torch import nn

from tasks.pde.data import unit_points
from tasks.pde.networks import MLP
from tasks.pde.problems import Heat
from tasks.pde.task import PhysicsInformed
from tasks.pde.weights import NTK, Balance, Causal, ConflictFree, GradientNorms, ReLoBRaLo, SelfAdaptive, Terms
from tasks.pde.weights.causal import causal_weights, slab_losses
from tasks.pde.weights.conflict_free import combining_weights
from tasks.pde.weights.relobralo import balanced, kept
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.optim import LevenbergMarquardt
from zoo.training.record import read_record


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def terms_of(w, **matrices):
    """Terms mean (A w - 1)^2."""
    rows = {name: (lambda a=a: (a @ w - 1)[:, None] / len(a) ** 0.5) for name, a in matrices.items()}
    return Terms(rows, [w])


def gradient_of(value, parameters):
    found = torch.autograd.grad(value, parameters, retain_graph=True, materialize_grads=True, allow_unused=True)
    return torch.cat([g.flatten() for g in found])


@pytest.fixture
def two_terms():
    w = nn.Parameter(tensor(0.0, 0.0))
    return terms_of(w, a=tensor([6.0, 0.0], [0.0, 8.0]), b=tensor([0.0, 1.0]))


def begun(rule):
    rule.begin(("a", "b"))
    return rule


def test_gradient_norms_by_hand(two_terms):
    # L_a = ((6x - 1)^2 + (8y - 1)^2) / 2, gradient (-6, -8) at 0; L_b = (y - 1)^2, gradient (0, -2).
    torch.testing.assert_close(two_terms.gradients(), tensor([-6.0, -8.0], [0.0, -2.0]))
    rule = begun(GradientNorms(every=2, momentum=0.75))
    rule.update(0, two_terms, {})
    torch.testing.assert_close(rule.weights_T, 0.75 * tensor(1.0, 1.0) + 0.25 * tensor(12 / 10, 12 / 2))
    rule.update(1, two_terms, {})  # not its step
    torch.testing.assert_close(rule.weights_T, 0.75 * tensor(1.0, 1.0) + 0.25 * tensor(1.2, 6.0))
    once = begun(GradientNorms(momentum=0.0))
    once.update(0, two_terms, {})
    norms = once.weights_T * two_terms.gradients().norm(dim=1)
    assert norms[0] == pytest.approx(float(norms[1]))


def test_a_term_without_gradient_keeps_a_finite_weight():
    w = nn.Parameter(tensor(0.0, 0.0))
    rule = begun(GradientNorms(momentum=0.0))
    rule.update(0, terms_of(w, a=tensor([1.0, 0.0]), b=tensor([0.0, 0.0])), {})
    torch.testing.assert_close(rule.weights_T, tensor(1.0, 1.0))


def heat_task(**kwargs):
    torch.manual_seed(0)
    return PhysicsInformed(Heat(), MLP(2, 1, [5]).double(), torch.optim.Adam, hard_conditions=False, **kwargs)


def terms_and_points(task, points=12):
    placed = task.placed(unit_points(points, "sobol", 0))
    return task.terms(placed), placed


def test_ntk_weights_are_the_dense_kernels_traces():
    task = heat_task()
    (terms, _), parameters = terms_and_points(task), list(task.net.parameters())
    traces = []
    for rows in terms.rows.values():
        jacobian = torch.stack([gradient_of(row, parameters) for row in rows().flatten()])
        traces.append((jacobian @ jacobian.t()).diagonal().sum())
    traces_T = torch.stack(traces)
    torch.testing.assert_close(terms.traces(), traces_T)
    rule = NTK()
    rule.begin(tuple(terms.rows))
    rule.update(0, terms, {})
    torch.testing.assert_close(rule.weights_T, traces_T.sum() / traces_T)


def test_relobralo_by_hand():
    w = nn.Parameter(tensor(0.0, 0.0))
    terms = terms_of(w, a=tensor([3.0, 0.0]), b=tensor([0.0, 1.0]))
    rule = begun(ReLoBRaLo(decay=0.9, stay=0.0, temperature=0.5))
    rule.update(0, terms, {})  # losses (1, 1), nothing to compare with
    torch.testing.assert_close(rule.weights_T, tensor(1.0, 1.0))
    w.data = tensor(1.0, 0.5)  # losses (4, 1/4)
    rule.update(1, terms, {})
    large, small = math.exp(4 / 0.5), math.exp(0.25 / 0.5)
    first = 2 * tensor(large, small) / (large + small)
    torch.testing.assert_close(rule.weights_T, first)  # history and recent are the same: the start is the last look
    w.data = tensor(2 / 3, 0.0)  # losses (1, 1)
    rule.update(2, terms, {})
    recent = balanced(tensor(1.0, 1.0), tensor(4.0, 0.25), 0.5)
    torch.testing.assert_close(rule.weights_T, 0.9 * tensor(1.0, 1.0) + 0.1 * recent)
    staying = begun(ReLoBRaLo(decay=0.9, stay=1.0, temperature=0.5))
    staying.update(0, terms, {})
    w.data = tensor(1.0, 0.5)
    staying.update(1, terms, {})
    torch.testing.assert_close(staying.weights_T, 0.9 * tensor(1.0, 1.0) + 0.1 * first)


def test_the_lookback_is_drawn_from_seed_and_step_alone():
    draws = [kept(step, 3, 0.7) for step in range(2000)]
    assert draws == [kept(step, 3, 0.7) for step in range(2000)] != [kept(step, 4, 0.7) for step in range(2000)]
    assert sum(draws) / 2000 == pytest.approx(0.7, abs=0.04)  # four standard deviations


def test_self_adaptive_terms_by_hand(two_terms):
    rule = begun(SelfAdaptive(rate=0.1, power=2))
    two_terms.parameters[0].data = tensor(0.5, 0.0)  # losses ((3 - 1)^2 + 1) / 2 and 1
    for step, lambdas in enumerate([tensor(1.5, 1.2), tensor(1.5**2, 1.2**2)]):  # 1 + 0.1 * 2 * (2.5, 1), and again
        rule.update(step, two_terms, {})
        torch.testing.assert_close(rule.weights_T, lambdas**2)


def test_self_adaptive_points_ascend_one_by_one_and_begin_anew_with_new_points():
    w = nn.Parameter(tensor(0.0, 0.0))
    points = {"a": tensor([1.0, 0.0], [0.0, 2.0]), "b": tensor([0.0, 1.0])}
    terms = terms_of(w, **points)
    w.data = tensor(3.0, 1.0)  # rows a: 2, 1; b: 0
    rule = begun(SelfAdaptive(rate=0.1, power=1, each="point"))
    rule.update(0, terms, points)
    torch.testing.assert_close(rule.factor("a"), 1 + 0.1 * tensor([4.0], [1.0]))
    torch.testing.assert_close(rule.factor("b"), tensor([1.0]))
    twin = begun(SelfAdaptive(rate=0.1, power=1, each="point"))
    twin.load_state_dict(rule.state_dict())
    for one in (rule, twin):
        one.update(1, terms, points)
        torch.testing.assert_close(one.factor("a"), 1 + 0.2 * tensor([4.0], [1.0]))
        torch.testing.assert_close(one.readings()["a"], 1 + 0.2 * tensor(2.5)[0])
    new = {"a": tensor([1.0, 0.0]), "b": tensor([0.0, 1.0])}
    rule.update(2, terms_of(w, **new), new)
    torch.testing.assert_close(rule.factor("a"), tensor([1.4]))


@pytest.mark.parametrize("name", ["UPGrad", "ConFIG"])
def test_conflict_free_weights_ascend_no_term_where_the_plain_sum_does(name):
    aggregation = pytest.importorskip("torchjd.aggregation")
    gradients = tensor([1.0, 0.0, 0.0], [-4.0, 1.0, 0.0])
    assert (gradients @ gradients.sum(0))[0] < 0  # a step along the plain sum raises the first term
    aggregator = getattr(aggregation, name)()
    weights = combining_weights(gradients, aggregator)
    torch.testing.assert_close(weights @ gradients, aggregator(gradients))
    assert (gradients @ (weights @ gradients)).min() > -1e-12


def test_the_optimiser_gets_the_conflict_free_gradient():
    aggregation = pytest.importorskip("torchjd.aggregation")
    task = heat_task(weighting=ConflictFree(aggregation.ConFIG()))
    terms, points = terms_and_points(task)
    task.balance.update(0, terms, points)
    loss = sum(task.loss(task.net, points).values())
    torch.testing.assert_close(gradient_of(loss, terms.parameters), aggregation.ConFIG()(terms.gradients()))


def test_an_aggregator_of_single_entries_is_refused():
    class Entries(nn.Module):
        def forward(self, gradients):
            return gradients.abs().max(0).values

    with pytest.raises(InputError, match="combines whole gradients"):
        combining_weights(tensor([1.0, 0.0, -0.3], [-4.0, 1.0, 0.5]), Entries())


def test_causal_weights_by_hand():
    losses = slab_losses(tensor(1.0, 3.0, 5.0, 7.0), torch.tensor([0, 0, 2, 3]), 4)
    torch.testing.assert_close(losses, tensor(2.0, 0.0, 5.0, 7.0))
    torch.testing.assert_close(causal_weights(losses, 0.1), tensor(1.0, math.exp(-0.2), math.exp(-0.2), math.exp(-0.7)))


def test_causal_slabs_and_epsilon_follow_time():
    causal = Causal(slabs=2, epsilons=[0.5, 1.0], threshold=0.9)
    times = tensor(1.0, 1.9, 2.1, 3.0)  # two in each half of [1, 3]
    weights = causal.weights(times, tensor(1.0, 3.0, 9.0, 9.0), 1.0, 3.0)
    torch.testing.assert_close(weights[:, 0], tensor(1.0, 1.0, math.exp(-1.0), math.exp(-1.0)))
    assert causal.epsilon == 0.5
    causal.weights(times, tensor(0.1, 0.1, 9.0, 9.0), 1.0, 3.0)  # exp(-0.05) > 0.9: all of it is learnt
    assert causal.epsilon == 1.0
    causal.weights(times, tensor(0.0, 0.0, 9.0, 9.0), 1.0, 3.0)  # there is no further one
    assert causal.epsilon == 1.0


def test_rows_carry_the_root_of_every_weight():
    task = heat_task(
        weights={"low": 3.0}, weighting=GradientNorms(momentum=0.5), causal=Causal(slabs=3, epsilons=[0.5])
    )
    terms, points = terms_and_points(task, 40)
    times = points["equation"][:, 0]
    task.balance.update(0, terms, points)
    plain = {name: rows().square().sum(1).detach() for name, rows in terms.rows.items()}
    in_time = causal_weights(slab_losses(40 * plain["equation"], (times * 3).long(), 3), 0.5)[(times * 3).long()]
    assert in_time.min() < 0.9
    # The rule sees the equation as causality leaves it.
    weighted = (terms.rows["equation"]()[:, 0] * in_time.sqrt()).square().sum()
    gradients = [weighted, *(rows().square().sum() for name, rows in terms.rows.items() if name != "equation")]
    norms = [gradient_of(one, terms.parameters).norm() for one in gradients]
    rule = {name: 0.5 + 0.5 * sum(norms) / norm for name, norm in zip(terms.rows, norms, strict=True)}
    expected = {
        "equation": rule["equation"] * (in_time * plain["equation"]).sum(),
        "initial": rule["initial"] * plain["initial"].sum(),
        "low": 3 * rule["low"] * plain["low"].sum(),
        "high": rule["high"] * plain["high"].sum(),
    }
    losses = task.loss(task.net, points)
    for name, rows in task.residuals(task.net, points).items():
        torch.testing.assert_close(rows().square().sum(), expected[name])
        torch.testing.assert_close(losses[name], expected[name])
    # Elsewhere than at the step's points the weights of terms are left.
    task.balance.forget_points()
    other = task.placed(unit_points(10, "sobol", 1))
    found, plain = task.loss(task.net, other), task.terms(other).losses()
    torch.testing.assert_close(found["equation"], rule["equation"] * plain[0])
    torch.testing.assert_close(found["low"], 3 * rule["low"] * plain[2])


SOFT = [
    "--model.hard_conditions=false",
    "--trainer.max_epochs=3",
    "--data.points=60",
    "--data.steps_per_epoch=3",
    "--model.net.hidden_sizes=[6]",
]
STATEFUL = {
    "norms": ["--model.weighting=tasks.pde.weights.GradientNorms", "--model.weighting.every=2"],
    "relobralo": ["--model.weighting=tasks.pde.weights.ReLoBRaLo", "--model.weighting.stay=0.5"],
    "points": [
        "--model.weighting=tasks.pde.weights.SelfAdaptive",
        "--model.weighting.each=point",
        "--data.resample_every=4",
        "--model.causal.slabs=4",
    ],
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    return tmp_path


@pytest.mark.parametrize("rule", ["relobralo", "points"])
def test_a_resumed_run_goes_on_to_the_bit(here, rule):
    words = ["fit", "pde/heat", *SOFT, *STATEFUL[rule]]
    assert main(words) == 0
    assert main([*words, "--root", "half", "--trainer.max_epochs=2"]) == 0
    assert main(["fit", "--resume", "half/pde/heat/1", "--trainer.max_epochs=3"]) == 0
    whole, resumed = (
        torch.load(here / folder / "pde/heat/1/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for folder in ("runs", "half")
    )
    assert "balance.rule.weights_T" in whole
    assert all(value.equal(resumed[name]) for name, value in whole.items())


def test_weights_are_constant_within_a_step_that_evaluates_several_times(here, monkeypatch):
    seen = []
    original = PhysicsInformed.loss

    def noted(self, net, points):
        seen.append(
            (self.trainer.global_step, float(self.balance.factor("initial", torch.zeros(1))), points["equation"])
        )
        return original(self, net, points)

    monkeypatch.setattr(PhysicsInformed, "loss", noted)
    optimizer = "{class_path: torch.optim.LBFGS, init_args: {line_search_fn: strong_wolfe, max_iter: 4}}"
    words = [
        "--model.weighting=tasks.pde.weights.NTK",
        "--model.weighting.every=1",
        "--model.sampling=ResidualAdaptive",
    ]
    words += ["--model.sampling.keep=0.5"]
    words += ["--trainer.max_epochs=1", f"--model.optimizer={optimizer}"]
    assert main(["fit", "pde/heat", *SOFT, *words]) == 0
    steps = {step for step, *_ in seen}
    assert len(seen) > 3 * len(steps) and steps == {0, 1, 2}
    for step in steps:
        (weight, points), *rest = [(weight, points) for at, weight, points in seen if at == step]
        assert all(one == weight and other.equal(points) for one, other in rest)
    assert len({weight for _, weight, _ in seen}) == 3


@pytest.mark.parametrize("aggregator", ["UPGrad", "ConFIG"])
def test_conflict_free_gradients_in_a_recipe(here, aggregator):
    pytest.importorskip("torchjd")
    inner = "{aggregator: torchjd.aggregation." + aggregator + "}"
    rule = "{class_path: tasks.pde.weights.ConflictFree, init_args: " + inner + "}"
    optimizer = "{class_path: torch.optim.Adam, init_args: {lr: 0.01}}"
    assert main(["fit", "pde/heat", *SOFT, f"--model.weighting={rule}", f"--model.optimizer={optimizer}"]) == 0
    values = read_record(here / "runs/pde/heat/1/record.sqlite").series("weight/initial")[""].values
    assert len(values) == 9 and len(set(values)) == 9


def test_weights_are_in_the_record(here):
    assert main(["fit", "pde/heat", *SOFT, *STATEFUL["norms"]]) == 0
    record = read_record(here / "runs/pde/heat/1/record.sqlite")
    values = record.series("weight/initial")[""].values
    assert len(values) == 9 and values[0] == values[1] != values[2]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--model.weighting=tasks.pde.weights.ConflictFree"], "LevenbergMarquardt does not step along the gradient"),
        (["--model.weighting=tasks.pde.weights.NTK", "--model.weighting.every=0"], "NTK.every: expected 1 step"),
        (
            ["--model.weighting=tasks.pde.weights.SelfAdaptive", "--model.weighting.each=point"],
            "points that come again",
        ),
        (["--model.weighting=tasks.pde.weights.ReLoBRaLo", "--model.weighting.decay=2"], "ReLoBRaLo.decay: expected"),
        (["--model.causal.slabs=1"], "Causal: expected 2 slabs"),
        (["--model.weights={equator: 2}"], "model.weights: expected terms among equation, initial, low, high"),
        (["--model.weights={low: -2}"], "expected factors of 0 or more"),
    ],
)
def test_common_mistakes_are_said_in_one_line(here, capsys, words, says):
    assert main(["fit", "pde/heat", *SOFT, *words]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_weights_beside_conflict_free_gradients_are_refused():
    with pytest.raises(InputError, match=r"model.weights: expected none with ConflictFree"):
        Balance(("equation",), {"equation": 2.0}, ConflictFree(nn.Identity()))


def test_causality_needs_time():
    with pytest.raises(InputError, match=r"model.causal: expected a problem with the coordinate t"):
        Balance(("equation",), causal=Causal())


def fitted(steps, **kwargs):
    torch.manual_seed(0)
    net = MLP(2, 1, [10, 10]).double()
    task = PhysicsInformed(Heat(), net, LevenbergMarquardt, False, symmetry={"x": "even"}, **kwargs)
    solver = LevenbergMarquardt(task.net.parameters())
    for step in range(steps):
        points = task.placed(unit_points(150, "sobol", step))
        task.balance.update(step, task.terms(points), points)
        solver.step(lambda points=points: task._linearised(points, solver))
    return float(task.relative_error())


@pytest.mark.parametrize(
    "kwargs",
    [
        {"weighting": NTK(every=10)},
        pytest.param({"weighting": GradientNorms(every=5)}, marks=pytest.mark.slow),
        pytest.param({"weighting": ReLoBRaLo(decay=0.9)}, marks=pytest.mark.slow),
        pytest.param({"causal": Causal(slabs=5)}, marks=pytest.mark.slow),
    ],
    ids=["NTK", "GradientNorms", "ReLoBRaLo", "Causal"],
)
def test_least_squares_with_weights_solves_the_equation(kwargs):
    assert fitted(60, **kwargs) < 1e-4
