"""A constant that comes to its own value over the first steps."""

from itertools import pairwise

import pytest
import torch

from tasks.pde.continuation import Continuation
from tasks.pde.data import unit_points
from tasks.pde.networks import MLP
from tasks.pde.problems import Cavity, Heat
from tasks.pde.task import PhysicsInformed
from zoo.cli.main import main
from zoo.errors import InputError


def test_it_goes_by_equal_factors_and_stays():
    values = [Continuation("nu", 0.01, 4).value(0.0025, step) for step in range(7)]
    ratios = [later / earlier for earlier, later in pairwise(values[:5])]
    assert values[0] == pytest.approx(0.01) and ratios == pytest.approx([0.25**0.25] * 4)
    assert values[4:] == [0.0025] * 3


def test_training_has_the_constant_of_its_step_and_judging_its_own(tmp_path, monkeypatch):
    """Also after a resume: the rows that a step is of are those of the equation with that constant."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN_FOLDER", raising=False)
    trained, judged = [], []
    prepare, evaluate = PhysicsInformed._points_of_step, PhysicsInformed.evaluate

    def noted(self, batch):
        points = prepare(self, batch)
        own, rows = Heat(self.net.constants(1)["alpha"]), self._rows(self.net, "equation", points["equation"])
        twin = PhysicsInformed(own, self.net.net, torch.optim.Adam, symmetry={"x": "even"}).double()
        torch.testing.assert_close(rows, twin._rows(twin.net, "equation", points["equation"]))
        trained.append((self.trainer.global_step, own.constants["alpha"]))
        return points

    def seen(self, net, batch):
        judged.append(self.net.constants(1)["alpha"])
        return evaluate(self, net, batch)

    monkeypatch.setattr(PhysicsInformed, "_points_of_step", noted)
    monkeypatch.setattr(PhysicsInformed, "evaluate", seen)
    words = ["fit", "pde/heat", "--data.points=40", "--data.steps_per_epoch=2", "--model.net.hidden_sizes=[5]"]
    words += ["--model.continuation={constant: alpha, start: 6.4, steps: 4}", "--trainer.check_val_every_n_epoch=1"]
    assert main([*words, "--trainer.max_epochs=2", "--root", "half"]) == 0
    assert main(["fit", "--resume", "half/pde/heat/1", "--trainer.max_epochs=3"]) == 0
    expected = [6.4, 3.2, 1.6, 0.8, 0.4, 0.4]
    assert [step for step, _ in trained] == list(range(6))
    assert [value for _, value in trained] == pytest.approx(expected)
    assert judged and set(judged) == {0.4}


def test_a_residual_at_another_constant_is_another_one():
    task = PhysicsInformed(Cavity(400.0), MLP(2, 1), torch.optim.Adam).double()
    points = task.placed(unit_points(20, "sobol", 0))["equation"]
    own = task.residual_at(points)
    task.net.continued = {"nu": 0.01}
    assert (task.residual_at(points) - own).abs().max() > 1e-3


def test_what_does_not_fit_is_named():
    for continuation, says in [
        (lambda: Continuation("alpha", 1.0, 0), "steps: expected 1 or more, got 0"),
        (lambda: Continuation("beta", 1.0, 3), "constant: expected one of alpha, got beta"),
        (lambda: Continuation("alpha", -1.0, 3), "start: expected a number of the sign of 0.4"),
    ]:
        with pytest.raises(InputError, match=says):
            PhysicsInformed(Heat(0.4), MLP(2, 1), torch.optim.Adam, continuation=continuation())
