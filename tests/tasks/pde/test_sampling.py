"""Points by residual and by time: drawn as the papers say, from the batch's own numbers alone."""

import pytest
import torch

from tasks.pde.data import unit_points
from tasks.pde.networks import MLP
from tasks.pde.problems import Heat, Poisson
from tasks.pde.sampling import ResidualAdaptive, TimeMarching, adaptive_probabilities
from tasks.pde.task import PhysicsInformed
from zoo.cli.main import main
from zoo.errors import InputError


def test_probabilities_by_hand():
    rows = torch.tensor([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]], dtype=torch.float64)  # |r| = 0, 5, 1
    found = adaptive_probabilities(rows, 2.0, 0.5)
    raw = torch.tensor([0.0, 25.0, 1.0], dtype=torch.float64) / (26 / 3) + 0.5
    torch.testing.assert_close(found, raw / raw.sum())
    zero = torch.zeros(4, 1)
    assert adaptive_probabilities(zero, 1.0, 0.0).tolist() == [0.25] * 4


def test_draws_are_proportional_and_the_same_again():
    """One point of many candidates a batch: the first draw has the probabilities themselves."""
    rows = torch.tensor([[1.0], [2.0], [3.0], [10.0]], dtype=torch.float64)
    sampling, draws = ResidualAdaptive(keep=0.25), 1500
    expected = draws * adaptive_probabilities(rows, 1.0, 1.0)

    def counts(sampling_of):
        found = [int(sampling.chosen(rows, unit_points(4, sampling_of, seed))) for seed in range(draws)]
        return torch.bincount(torch.tensor(found), minlength=4).double()

    found = counts("uniform")
    assert float(((found - expected) ** 2 / expected).sum()) < 16.3  # three degrees of freedom: one in a thousand
    assert counts("uniform").equal(found)


def test_a_share_is_kept_without_repetition_and_crowds_at_the_residual():
    unit = unit_points(4000, "sobol", 0)
    rows = torch.exp(-(((unit[:, :1] - 0.5) / 0.05) ** 2))
    chosen = ResidualAdaptive(keep=0.25, power=2.0, floor=0.0).chosen(rows, unit)
    assert len(chosen) == 1000 == len(chosen.unique())
    near = (unit[:, 0] - 0.5).abs() < 0.1
    assert float(near[chosen].double().mean()) > 0.7 > 0.21 > float(near.double().mean())
    assert not chosen.equal(
        ResidualAdaptive(keep=0.25, power=2.0, floor=0.0).chosen(rows, unit_points(4000, "sobol", 1))
    )


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
        (lambda: TimeMarching(steps=0), "model.marching: expected steps of 1 or more"),
        (lambda: PhysicsInformed(Poisson(2), net, torch.optim.Adam, marching=TimeMarching(5)), "coordinate t"),
        (
            lambda: PhysicsInformed(Heat(), net, torch.optim.Adam, marching=TimeMarching(5), symmetry={"t": "even"}),
            "a symmetry in t",
        ),
    ]:
        with pytest.raises(InputError, match=says):
            act()


def test_a_resumed_run_draws_the_same_points(tmp_path, monkeypatch):
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
    words += ["--model.net.hidden_sizes=[6]", "--model.sampling.keep=0.25", "--model.marching.steps=6"]
    words += ["--model.hard_conditions=false"]
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
