"""`zoo gradcheck`: whole recipes pass, and a fault planted in a net is named at its tensor."""

import random
from pathlib import Path

import pytest
import torch
from pytorch_lightning import LightningDataModule
from torch import nn

from tests.conftest import ManualRegression, Regression
from zoo.cli.main import main
from zoo.data import TensorLoader
from zoo.derivatives.gradient_check import GradientCheck
from zoo.training.captured import captured, loss_of
from zoo.training.config_cli import Parts
from zoo.training.gradcheck import check_task, described


class Made(LightningDataModule):
    """Batches of the fixture's examples."""

    def __init__(self, data):
        super().__init__()
        self.data = data

    def train_dataloader(self):
        return TensorLoader(self.data, 16, shuffle=True, seed=3)


@pytest.fixture
def checked(make_net, data, adam, quick):
    """Task class, planted layer -> the check of its first batch, in training mode."""

    def check(task_class=Regression, planted: nn.Module | None = None, seconds: float = 1.0) -> GradientCheck:
        net = make_net()
        if planted is not None:
            net = nn.Sequential(*net, planted)
        task = task_class(net, optimizer=adam)
        (one,) = captured(Parts(task, Made(data), quick(), ""))
        task.double()
        return check_task(task, one, 1e-6, seconds)

    return check


@pytest.mark.parametrize("task_class", [Regression, ManualRegression])
def test_batch_norm_and_dropout_in_training_mode_pass(checked, task_class):
    found = checked(task_class)
    assert found.passed and found.error <= 1e-6 and found.draws
    assert {one.name for one in found.checks} >= {
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
        "4.weight",
        "4.bias",
        "input 0",
        "input 1",
    }
    orders = [one.comparison.order for one in found.checks if one.comparison.order == one.comparison.order]
    assert sorted(orders)[len(orders) // 2] == pytest.approx(2, abs=0.1)


def test_what_is_captured_is_the_first_training_batch_and_nothing_has_moved(make_net, data, adam, quick):
    net = make_net()
    kept = {name: value.clone() for name, value in net.state_dict().items()}
    task = Regression(net, optimizer=adam)
    batches = captured(Parts(task, Made(data), quick(), ""), 3)
    assert all(torch.equal(value, kept[name]) for name, value in net.state_dict().items())
    for one, (x, y) in zip(batches, TensorLoader(data, 16, shuffle=True, seed=3), strict=False):
        assert torch.equal(one.batch[0], x) and torch.equal(one.batch[1], y)
    first = loss_of(task, batches[0])
    assert first({}) == first({}) and net.training


class Scaled(nn.Module):
    """y = x s, elementwise."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.5, 0.5]))


class WrongBackward(torch.autograd.Function):
    """x s with a backward pass that forgets to sum over the examples' signs."""

    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x, scale)
        return x * scale

    @staticmethod
    def backward(ctx, gradient):
        x, scale = ctx.saved_tensors
        return gradient * scale, (gradient * x.abs()).sum(0)


class ByWrongBackward(Scaled):
    """As `Scaled`, by the function above."""

    def forward(self, x):
        return WrongBackward.apply(x, self.scale)


class Kinked(Scaled):
    """Bent where it stands: every scale meets relu(s - its own value)."""

    def __init__(self):
        super().__init__()
        self.register_buffer("at", self.scale.detach().clone())

    def forward(self, x):
        return x + (self.scale - self.at).relu()


class Rounded(Scaled):
    """A scale that is rounded up to hundredths."""

    def forward(self, x):
        return x * (self.scale * 100).ceil() / 100


class Single(Scaled):
    """A scale that leaves torch and comes back in float32."""

    def forward(self, x):
        return x * torch.from_numpy(self.scale.detach().numpy().astype("float32")) + 0 * self.scale


class Unsteady(Scaled):
    """A scale with noise of Python's own."""

    def forward(self, x):
        return x * self.scale * (1 + 1e-6 * random.random())


class Counting(Scaled):
    """A scale that depends on how often the layer was called."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x * self.scale / self.calls


@pytest.mark.parametrize(
    ("planted", "verdict"),
    [(ByWrongBackward(), "wrong gradient"), (Kinked(), "kink"), (Rounded(), "jump"), (Single(), "staircase")],
    ids=lambda one: type(one).__name__ if isinstance(one, nn.Module) else one,
)
def test_a_planted_fault_is_named_at_its_tensor_and_nowhere_else(checked, planted, verdict):
    found = checked(planted=planted)
    assert {one.name for one in found.bad} == {"5.scale"}
    assert found.bad[0].comparison.verdict == verdict and not found.passed
    lines = described("made/recipe", found, 1.0)
    assert lines[0].startswith("made/recipe: 1 tensor disagrees") and lines[1].startswith("  5.scale: " + verdict)


@pytest.mark.parametrize("planted", [Unsteady(), Counting()], ids=lambda one: type(one).__name__)
def test_an_unsteady_loss_is_named_and_not_blamed_on_a_tensor(checked, planted):
    found = checked(planted=planted)
    assert found.unsteady_what == "loss" and not found.passed and not found.checks
    assert "not deterministic" in described("made/recipe", found, 1.0)[0]


class Game(Regression):
    """A term whose gradient is reversed for everything but the last layer's bias."""

    opposed_terms = ("opposed",)

    def loss(self, net, batch):
        hidden = net[:4](batch[0])
        return {**super().loss(net, batch), "opposed": (2 * hidden.detach() - hidden).square().mean()}


def test_opposed_terms_are_left_out_where_other_terms_reach(checked):
    assert checked(Game).passed


@pytest.mark.parametrize(
    "recipe",
    [
        "vision/digits",
        "rl/cartpole",
        "rl/cartpole_npg",
        "rl/cartpole_dqn",
        "rl/cartpole_pgpe",
        "pde/poisson",
        "pde/deeponet_antiderivative",
    ],
)
def test_recipes_agree(capsys, recipe, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    small = {"vision/digits": ["--model.net.width", "2"], "pde/poisson": ["--data.points", "100"]}
    assert main(["gradcheck", recipe, "--seconds", "0.01", *small.get(recipe, [])]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{recipe}: all agree: ") and "largest relative error" in out
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected a recipe"),
        (["vision/digit"], "did you mean vision/digits"),
        (["vision/digits", "--tolerance", "0"], "--tolerance: expected a number above 0"),
        (["vision/digits", "--modle.net", "3"], "did you mean 'model'"),
    ],
)
def test_bad_input_is_one_line(capsys, words, said):
    assert main(["gradcheck", *words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
