"""NaN and infinity planted in every place of a step are traced to it: layer, micro-batch and example."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from tests.conftest import Regression
from zoo.data import TensorLoader
from zoo.diagnosis import diagnose
from zoo.errors import InputError
from zoo.probes.origin import Origin
from zoo.training.monitor import MonitorOptions
from zoo.training.replay import origin_of


class Root(nn.Module):
    """sqrt |0 x|: its slope is infinite; the value is fine."""

    def forward(self, x):
        return (x * 0).abs().sqrt() + x


class Logarithm(nn.Module):
    """log |x|, infinite where a row is zero."""

    def forward(self, x):
        return x.abs().log()


class Between(nn.Module):
    """A division by zero between two layers, for the example whose first input is 9."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.b(self.a(x) / (x[:, :1] - 9.0))


def terms(net, batch):
    """Mean squared error, one example a row."""
    x, y = batch
    return {"fit": (net(x) - y).square().mean()}


def traced(net, batches, loss=terms):
    """The origin in a step of these micro-batches."""
    states = [[torch.get_rng_state()]] * len(batches)
    return origin_of(net, loss, batches, states, nullcontext)


@pytest.fixture
def batches():
    """Two micro-batches of four."""
    return [(torch.randn(4, 3), torch.randn(4, 2)) for _ in range(2)]


def test_a_finite_step_has_no_origin(batches):
    assert traced(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2)), batches) is None


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_bad_input_is_named_with_its_example(batches, bad):
    batches[1][0][2, 1] = bad
    assert traced(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), batches) == Origin("input", "0", 1, 2)


def test_a_bad_parameter_is_named(batches):
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    with torch.no_grad():
        net[1].bias[0] = float("nan")
    assert traced(net, batches) == Origin("parameter", "1.bias")


def test_a_layer_whose_output_is_infinite(batches):
    net = nn.Sequential(nn.Linear(3, 4, bias=False), Logarithm(), nn.Linear(4, 2))
    batches[0][0][3] = 0.0
    assert traced(net, batches) == Origin("output", "1", 0, 3)


def test_code_between_two_layers_belongs_to_the_module_around(batches):
    batches[1][0][1, 0] = 9.0
    net = nn.Sequential(Between(), nn.Tanh())
    assert traced(net, batches) == Origin("output", "0", 1, 1)


def test_a_backward_pass_with_an_infinite_slope(batches):
    net = nn.Sequential(nn.Linear(3, 4), Root(), nn.Linear(4, 2))
    assert traced(net, batches) == Origin("gradient", "1", 0, 0)


def test_a_loss_of_one_example(batches):
    batches[0][1][2] = 0.0

    def logarithmic(net, batch):
        return {"fit": (net(batch[0]).square().sum(1) + batch[1].abs().log().sum(1)).mean()}

    assert traced(nn.Linear(3, 2), batches, logarithmic) == Origin("loss", "fit", 0, 2)


def test_a_loss_with_an_infinite_slope(batches):
    def rooted(net, batch):
        return {"fit": (net(batch[0]) * 0).abs().sqrt().mean()}

    found = traced(nn.Linear(3, 2), batches, rooted)
    assert (found.kind, found.layer) == ("gradient", "loss")


def test_a_mask_of_minus_infinity_is_no_origin(batches):
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.attend = nn.MultiheadAttention(3, 1, batch_first=True)
            self.broken = Logarithm()

        def forward(self, x):
            mask = torch.full((4, 4), -torch.inf).triu(1)
            seen, _ = self.attend(x[None], x[None], x[None], attn_mask=mask)
            return self.broken(seen[0] * 0)[:, :2]

    assert traced(Masked(), batches).layer == "broken"


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_run_names_layer_step_batch_and_example(data, adam, quick, accumulate):
    x, y = data
    poisoned = x.clone()
    poisoned[40] = float("nan")  # row 8 of the batch 16 * 2
    net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 2))
    task = Regression(net, adam, monitor=MonitorOptions(flush_every=1, diagnose=False))
    with pytest.raises(InputError, match=r"from the input of 0"):
        quick(max_epochs=1, accumulate_grad_batches=accumulate).fit(task, TensorLoader((poisoned, y), 16))
    (found,) = diagnose(task.monitor.record)
    assert (found.kind, found.layer, found.step) == ("nonfinite", "0", 2 // accumulate)
    assert found.evidence == {"batch": 2.0, "example": 8.0}


def test_replaying_leaves_the_run_as_it_was(batches):
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), Root(), nn.Linear(4, 2))
    before, random = {k: v.clone() for k, v in net.state_dict().items()}, torch.get_rng_state()
    assert traced(net, batches) is not None
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks for m in net.modules())
