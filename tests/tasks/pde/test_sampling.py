"""Points by residual and by time: drawn as the papers say, from the batch's own numbers alone."""

import pytest
import torch
from torch import nn

from tasks.pde.data import unit_points
from tasks.pde.networks import MLP
from tasks.pde.problems import Heat, Poisson
from tasks.pde.sampling import LeverageAdaptive, ResidualAdaptive, TimeMarching, adaptive_probabilities
from tasks.pde.task import PhysicsInformed
from zoo.cli.main import main
from zoo.derivatives import JetSpace, jet_of
from zoo.errors import InputError


def test_probabilities_by_hand():
    rows = torch.tensor([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]], dtype=torch.float64)  # |r| = 0, 5, 1
    found = adaptive_probabilities(ResidualAdaptive().sizes(lambda: rows, []), 2.0, 0.5)
    raw = torch.tensor([0.0, 25.0, 1.0], dtype=torch.float64) / (26 / 3) + 0.5
    torch.testing.assert_close(found, raw / raw.sum())
    zero = torch.zeros(4)
    assert adaptive_probabilities(zero, 1.0, 0.0).tolist() == [0.25] * 4


def test_draws_are_proportional_and_the_same_again():
    """One point of many candidates a batch: the first draw has the probabilities themselves."""
    rows = torch.tensor([[1.0], [2.0], [3.0], [10.0]], dtype=torch.float64)
    sampling, draws = ResidualAdaptive(keep=0.25), 1500
    expected = draws * adaptive_probabilities(rows[:, 0], 1.0, 1.0)

    def counts(sampling_of):
        found = [int(sampling.chosen(lambda: rows, [], unit_points(4, sampling_of, seed))) for seed in range(draws)]
        return torch.bincount(torch.tensor(found), minlength=4).double()

    found = counts("uniform")
    assert float(((found - expected) ** 2 / expected).sum()) < 16.3  # three degrees of freedom: one in a thousand
    assert counts("uniform").equal(found)


def test_a_share_is_kept_without_repetition_and_crowds_at_the_residual():
    unit = unit_points(4000, "sobol", 0)
    rows = torch.exp(-(((unit[:, :1] - 0.5) / 0.05) ** 2))
    sampling = ResidualAdaptive(keep=0.25, power=2.0, floor=0.0)
    chosen = sampling.chosen(lambda: rows, [], unit)
    assert len(chosen) == 1000 == len(chosen.unique())
    near = (unit[:, 0] - 0.5).abs() < 0.1
    assert float(near[chosen].double().mean()) > 0.7 > 0.21 > float(near.double().mean())
    assert not chosen.equal(sampling.chosen(lambda: rows, [], unit_points(4000, "sobol", 1)))


class Line(nn.Module):
    """Residuals a + b x - y; a second equation that no parameter enters."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1).double()

    def rows(self, x_N1):
        return torch.cat([self.layer(jet_of(x_N1, JetSpace(("x",), frozenset())))[""] - 1, 3 + 0 * x_N1], 1)


def test_leverage_of_a_lines_points_is_the_textbooks():
    """h_i = 1/N + (x_i - mean)^2 / sum (x - mean)^2: the ends of the range decide the fit, whatever the residual."""
    x, net = torch.rand(50, 1, dtype=torch.float64), Line()
    found = LeverageAdaptive(ridge=1e-14).sizes(lambda: net.rows(x), list(net.parameters()))
    away = (x[:, 0] - x.mean()).square()
    torch.testing.assert_close(found, 1 / 50 + away / away.sum(), rtol=1e-9, atol=0)


def test_leverage_keeps_the_few_points_that_alone_see_a_direction():
    """A slope that 5 of 1,000 candidates see, where the residual is no larger than elsewhere: most are kept."""
    x = torch.cat([torch.zeros(995), torch.linspace(0.5, 1, 5)])[:, None].double()
    net, unit = Line(), unit_points(1000, "sobol", 0)
    parameters = list(net.parameters())
    few = torch.arange(995, 1000)
    by_leverage, by_size = (
        [sampling.chosen(lambda: net.rows(x), parameters, unit_points(1000, "sobol", seed)) for seed in range(20)]
        for sampling in (LeverageAdaptive(keep=0.02, floor=0.0), ResidualAdaptive(keep=0.02, floor=0.0))
    )
    assert all(len(one) == 20 == len(one.unique()) for one in by_leverage)
    seen, missed = ([int(torch.isin(few, one).sum()) for one in found] for found in (by_leverage, by_size))
    assert min(seen) >= 2 and sum(seen) > 85 and sum(missed) < 20, (seen, missed)
    assert by_leverage[0].equal(LeverageAdaptive(keep=0.02, floor=0.0).chosen(lambda: net.rows(x), parameters, unit))


def test_times_grow_from_a_share_to_all_and_nothing_else_moves():
    unit, marching = unit_points(512, "sobol", 0), TimeMarching(steps=10, start=0.2)
    for step, share in ((0, 0.2), (5, 0.6), (10, 1.0), (99, 1.0)):
        windowed = marching.windowed(unit, 0, step)
        assert float(windowed[:, 0].max()) == pytest.approx(share, rel=0.01) and windowed[:, 1:].equal(unit[:, 1:])
    assert float(unit[:, 0].max()) > 0.99  # the batch itself is as it was


def test_bad_numbers():
    net = MLP(2, 1)
    for act, says in [
        (lambda: ResidualAdaptive(keep=1.5), "model.sampling: expected keep between 0 and 1"),
        (lambda: LeverageAdaptive(ridge=0.0), "model.sampling.ridge: expected more than 0"),
        (lambda: TimeMarching(steps=0), "model.marching: expected steps of 1 or more"),
        (lambda: PhysicsInformed(Poisson(2), net, torch.optim.Adam, marching=TimeMarching(5)), "coordinate t"),
        (
            lambda: PhysicsInformed(Heat(), net, torch.optim.Adam, marching=TimeMarching(5), symmetry={"t": "even"}),
            "a symmetry in t",
        ),
    ]:
        with pytest.raises(InputError, match=says):
            act()


@pytest.mark.parametrize("rule", ["ResidualAdaptive", "LeverageAdaptive"])
def test_a_resumed_run_draws_the_same_points(tmp_path, monkeypatch, rule):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    seen = []
    original = PhysicsInformed._points_of_step

    def noted(self, batch):
        points = original(self, batch)
        seen.append((self.trainer.global_step, {name: one.clone() for name, one in points.items()}))
        return points

    monkeypatch.setattr(PhysicsInformed, "_points_of_step", noted)
    words = ["fit", "pde/heat", "--trainer.max_epochs=3", "--data.points=80", "--data.steps_per_epoch=3"]
    words += ["--model.net.hidden_sizes=[6]", "--model.marching.steps=6"]
    words += [f"--model.sampling={rule}", "--model.sampling.keep=0.25", "--model.hard_conditions=false"]
    assert main(words) == 0
    assert main([*words, "--root", "half", "--trainer.max_epochs=2"]) == 0
    assert main(["fit", "--resume", "half/pde/heat/1", "--trainer.max_epochs=3"]) == 0
    assert [step for step, _ in seen] == [*range(9), *range(6), *range(6, 9)]
    whole, resumed = seen[:9], seen[9:]
    for (_, a), (_, b) in zip(whole, resumed, strict=True):
        assert len(a["equation"]) == 20 and len(a["initial"]) == 5
        assert all(points.equal(b[name]) for name, points in a.items())
    ends = [float(points["equation"][:, 0].max()) for _, points in whole]
    assert ends[0] < 0.1 and ends[2] < 0.1 + 0.9 * 2 / 6 and ends[-1] > 0.8
