"""Noise and per-example norms that a run records, against the gradients of its micro-batches and examples one by one."""

from functools import partial

import pytest
import torch
from torch import nn

from tests.conftest import ManualRegression, Regression
from zoo.data import TensorLoader
from zoo.errors import InputError
from zoo.probes.batch_gradients import gradient_noise
from zoo.training.monitor import MonitorOptions
from zoo.training.task import TaskModule

SGD = partial(torch.optim.SGD, lr=0.05)


def linear_net():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(inplace=True), nn.Linear(8, 2))


def flat_gradients(task, net, batches) -> torch.Tensor:
    """[K, P]: the gradient of each batch's own loss."""
    rows = []
    for batch in batches:
        grads = torch.autograd.grad(sum(task.loss(net, batch).values()), list(net.parameters()))
        rows.append(torch.cat([g.flatten() for g in grads]))
    return torch.stack(rows)


def whole(task, quantity):
    return task.monitor.record.series(quantity)[""].values


def test_noise_between_micro_batches(data, quick):
    task = Regression(linear_net(), SGD, monitor=MonitorOptions(sample_every=1))
    quick(max_epochs=1, accumulate_grad_batches=4).fit(task, TensorLoader(data, 8))
    net = linear_net()
    rows = flat_gradients(task, net, list(TensorLoader(data, 8))[:4])
    expected = gradient_noise(rows)
    assert whole(task, "gradient_noise")[0] == pytest.approx(expected.noise.item(), rel=1e-5)
    assert whole(task, "gradient_signal")[0] == pytest.approx(expected.signal.item(), rel=1e-5)
    assert whole(task, "batch_examples").tolist() == [32, 32]
    layer = gradient_noise(rows[:, :24])
    found = task.monitor.record.series("gradient_noise")["0.weight"].values[0]
    assert found == pytest.approx(layer.noise.item(), rel=1e-5)
    assert not any(p._backward_hooks for p in task.net.parameters())


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("kind", [Regression, ManualRegression])
def test_noise_between_examples(kind, accumulate, data, quick):
    accumulate = 1 if kind is ManualRegression else accumulate  # Lightning accumulates in automatic optimisation only
    task = kind(linear_net(), SGD, monitor=MonitorOptions(sample_every=1, examples=True))
    quick(max_epochs=1, accumulate_grad_batches=accumulate).fit(
        task, TensorLoader(data, 16 // accumulate, shuffle=True, seed=3)
    )
    batches = list(TensorLoader(data, 1, shuffle=True, seed=3))[:16]
    rows = flat_gradients(task, linear_net(), batches)
    expected, norms = gradient_noise(rows), rows.norm(dim=1)
    assert whole(task, "gradient_noise")[0] == pytest.approx(expected.noise.item(), rel=1e-5)
    assert whole(task, "gradient_signal")[0] == pytest.approx(expected.signal.item(), rel=1e-5)
    assert whole(task, "example_gradient_norm/largest")[0] == pytest.approx(norms.max().item(), rel=1e-5)
    assert whole(task, "example_gradient_norm/median")[0] == pytest.approx(norms.quantile(0.5).item(), rel=1e-5)


def test_an_example_that_stands_out_is_named_by_its_index(data, quick):
    x, y = data
    y = y.clone()
    y[37] += 1e4
    task = Regression(
        linear_net(), partial(torch.optim.SGD, lr=1e-9), monitor=MonitorOptions(sample_every=1, examples=True)
    )
    quick(max_epochs=2).fit(task, TensorLoader((x, y), 16, shuffle=True, seed=5))
    found = {name: s.steps.tolist() for name, s in task.monitor.record.series("example_outlier_score").items()}
    at = [(torch.cat([b[0] for b in [i]]) == x[37]).all(1).any().item() for i in _batches(x, epochs=2)]
    assert found["example 37"] == [step for step, there in enumerate(at) if there] and len(found["example 37"]) == 2


def _batches(x, epochs):
    loader = TensorLoader((x,), 16, shuffle=True, seed=5)
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)
        yield from loader


class Summed(Regression):
    """A loss that is a sum over the examples, which has no 1/B to divide by."""

    def loss(self, net, batch):
        x, y = batch
        return {"fit": (net(x) - y).square().sum()}


class Penalised(Regression):
    """A weight's square beside the mean over the examples."""

    def loss(self, net, batch):
        return {**super().loss(net, batch), "decay": net[0].weight.square().sum()}


@pytest.mark.parametrize("kind", [Summed, Penalised])
def test_a_loss_that_is_no_mean_is_refused(kind, data, quick):
    task = kind(linear_net(), SGD, monitor=MonitorOptions(examples=True))
    with pytest.raises(InputError, match="per-example gradients"):
        quick(max_epochs=1).fit(task, TensorLoader(data, 16))


def test_batch_norm_in_training_mode_is_refused(make_net, data, quick):
    task = Regression(make_net(), SGD, monitor=MonitorOptions(examples=True))
    with pytest.raises(InputError, match=r"BatchNorm1d with statistics of the batch \(1\)"):
        quick(max_epochs=1).fit(task, TensorLoader(data, 16))


class Half(TaskModule):
    """A loss of magnitude one on inputs of magnitude one, for half precision."""

    def loss(self, net, batch):
        x, y = batch
        return {"fit": (net(x) - y).square().mean()}


def test_half_precision_reads_the_same_within_a_percent(data, quick):
    found = []
    for precision in ("32-true", "bf16-mixed"):
        task = Half(linear_net(), SGD, monitor=MonitorOptions(sample_every=1, examples=True))
        quick(max_epochs=1, precision=precision).fit(task, TensorLoader(data, 32))
        found.append([whole(task, q)[0] for q in ("gradient_noise", "gradient_signal", "example_gradient_norm/median")])
    assert found[1] == pytest.approx(found[0], rel=2e-2)


def test_reading_examples_changes_nothing(data, quick):
    found = []
    for options in (MonitorOptions(sample_every=0), MonitorOptions(sample_every=1, examples=True)):
        torch.manual_seed(5)
        net = nn.Sequential(nn.Linear(3, 8), nn.GroupNorm(2, 8), nn.Dropout(0.3), nn.Linear(8, 2))
        torch.manual_seed(6)
        task = Regression(net, SGD, monitor=options)
        quick(max_epochs=2).fit(task, TensorLoader(data, 16, shuffle=True, seed=1))
        found.append({**net.state_dict(), "rng": torch.get_rng_state()})
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert all(torch.equal(one, found[1][name]) for name, one in found[0].items())
