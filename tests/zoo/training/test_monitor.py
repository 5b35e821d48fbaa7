"""The monitor's readings against plain autograd, in every mode that could distort them."""

from functools import partial

import pytest
import torch
from pytorch_lightning import Callback
from torch import nn

from tests.conftest import ManualRegression, Regression
from zoo.data import TensorLoader
from zoo.derivatives import per_point
from zoo.errors import InputError
from zoo.optim import ByGlobalNorm, LevenbergMarquardt
from zoo.reports import run_sections
from zoo.training.monitor import MonitorOptions
from zoo.training.task import TaskModule

EVERY = MonitorOptions(sample_every=1, flush_every=3)


def plain_norms(net, batches, terms_of) -> dict[str, float]:
    """Gradient norms of the mean loss over the batches, by one plain backward."""
    net.zero_grad()
    loss = sum(sum(terms_of(net, batch).values()) for batch in batches) / len(batches)
    loss.backward()
    return {name: p.grad.norm().item() for name, p in net.named_parameters()}


def series(task, quantity, layer=""):
    return task.monitor.record.series(quantity)[layer]


def linear_net():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("kind", [Regression, ManualRegression])
def test_first_step_equals_plain_autograd(kind, accumulate, data, adam, quick):
    if kind is ManualRegression and accumulate > 1:
        accumulate = 1  # Lightning accumulates in automatic optimisation only
    net, twin = linear_net(), linear_net()
    task = kind(net, adam, monitor=EVERY)
    loader = TensorLoader(data, 64 // accumulate)
    quick(max_epochs=1, accumulate_grad_batches=accumulate).fit(task, loader)
    expected = plain_norms(twin, list(TensorLoader(data, 64)), task.loss)
    for name, norm in expected.items():
        assert series(task, "gradient_norm", name).values[0] == pytest.approx(norm, rel=1e-5)
    total = sum(norm**2 for norm in expected.values()) ** 0.5
    assert series(task, "gradient_norm").values[0] == pytest.approx(total, rel=1e-5)


def test_accumulated_deltas_and_terms_equal_the_whole_batch(data, adam, quick):
    found = []
    for accumulate in (1, 4):
        task = Regression(linear_net(), adam, monitor=EVERY)
        trainer = quick(max_epochs=1, accumulate_grad_batches=accumulate)
        trainer.fit(task, TensorLoader(data, 64 // accumulate))
        record = task.monitor.record
        found.append({(q, layer): s.values[0] for q in record.quantities() for layer, s in record.series(q).items()})
    noise = {"gradient_signal", "gradient_noise", "batch_examples"}  # which one batch alone does not show
    assert {quantity for quantity, _ in found[1].keys() - found[0].keys()} == noise and found[0].keys() < found[
        1
    ].keys()
    for key, value in found[0].items():
        assert found[1][key] == pytest.approx(value, rel=1e-4), key


def test_deltas_are_those_of_the_backpropagation_equations(data, adam, quick):
    task = Regression(linear_net(), adam, monitor=EVERY)
    quick(max_epochs=1).fit(task, TensorLoader(data, 64))
    net = linear_net()
    x, y = data
    z1 = net[0](x)
    a1 = torch.tanh(z1)
    out = net[2](a1)
    with torch.no_grad():
        delta2 = (2 * (out - y) + 0.2 * out) / out.numel()
        delta1 = (delta2 @ net[2].weight) * (1 - a1**2)
    for layer, quantity, expected in (
        ("2", "preactivation_gradient_norm", delta2.norm()),
        ("0", "preactivation_gradient_norm", delta1.norm()),
        ("1", "activation_gradient_norm", (delta2 @ net[2].weight).norm()),
        ("1", "activation_norm", a1.norm()),
        ("1", "saturated_fraction", (a1.abs() > 0.95).float().mean()),
    ):
        assert series(task, quantity, layer).values[0] == pytest.approx(expected.item(), rel=1e-5), (layer, quantity)


def test_updates_cosine_and_terms(data, adam, quick):
    class Keep(Callback):
        """Gradients and weights of every step, as the monitor should have seen them."""

        def __init__(self):
            self.grads, self.weights = [], []

        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            self.grads.append(torch.cat([p.grad.flatten().clone() for p in pl_module.net.parameters()]))
            self.weights.append(pl_module.net[0].weight.detach().clone())

    keep = Keep()
    task = Regression(linear_net(), adam, monitor=EVERY)
    quick(max_epochs=2, callbacks=[keep]).fit(task, TensorLoader(data, 32))
    cosines = series(task, "gradient_cosine").values
    expected = [torch.cosine_similarity(a, b, dim=0).item() for a, b in zip(keep.grads, keep.grads[1:], strict=False)]
    assert cosines == pytest.approx(expected, rel=1e-4)
    update = (keep.weights[1] - keep.weights[0]).norm().item()
    assert series(task, "update_norm", "0.weight").values[0] == pytest.approx(update, rel=1e-4)
    assert series(task, "weight_norm", "0.weight").values[0] == pytest.approx(keep.weights[0].norm().item(), rel=1e-6)
    net = linear_net()
    x, y = next(iter(TensorLoader(data, 32)))
    terms = task.loss(net, (x, y))
    grads = torch.autograd.grad(terms["size"], list(net.parameters()))
    assert series(task, "gradient_norm/size").values[0] == pytest.approx(
        torch.cat([g.flatten() for g in grads]).norm().item(), rel=1e-5
    )
    assert series(task, "loss/fit").values[0] == pytest.approx(terms["fit"].item(), rel=1e-6)


def test_bfloat16_reads_the_same_within_a_percent(data, adam, quick):
    found = []
    for precision in ("32-true", "bf16-mixed"):
        task = Regression(linear_net(), adam, monitor=EVERY)
        quick(max_epochs=1, precision=precision).fit(task, TensorLoader(data, 64))
        found.append(series(task, "gradient_norm").values[0])
    assert found[1] == pytest.approx(found[0], rel=1e-2)


def test_clipping_is_seen_before_and_after(data, adam, quick):
    task = Regression(linear_net(), adam, monitor=EVERY, clipping=ByGlobalNorm(0.05))
    quick(max_epochs=2).fit(task, TensorLoader(data, 16))
    before, after = series(task, "gradient_norm").values, series(task, "clipped_gradient_norm").values
    assert (before > 0.05).any()
    assert after == pytest.approx(before.clip(max=0.05), rel=1e-4)
    assert series(task, "clipped_fraction").values.tolist() == (before > 0.05).astype(float).tolist()


@pytest.mark.parametrize("kind", [Regression, ManualRegression])
def test_lbfgs_evaluations_are_read_once_a_step(kind, data, quick):
    def lbfgs(params):
        return torch.optim.LBFGS(params, max_iter=5)

    task = kind(linear_net(), lbfgs, monitor=EVERY, clipping=ByGlobalNorm(100.0))
    quick(max_epochs=3).fit(task, TensorLoader(data, 64))
    steps = 6 if kind is ManualRegression else 3
    assert series(task, "gradient_norm").steps.tolist() == list(range(steps))
    first = plain_norms(linear_net(), [data], task.loss)
    total = sum(norm**2 for norm in first.values()) ** 0.5
    assert series(task, "gradient_norm").values[0] == pytest.approx(total, rel=1e-5)


def test_watching_changes_no_weight(make_net, data, adam, quick):
    """Gradients, dropout masks and running statistics are as they are without any reading."""
    found = []
    for sample_every in (0, 1):
        torch.manual_seed(5)
        options = MonitorOptions(sample_every=sample_every)
        task = Regression(make_net(), adam, monitor=options, probes=[lambda s: {"again": s.loss_at(s.params)}])
        quick(max_epochs=3).fit(task, TensorLoader(data, 16, shuffle=True, seed=1))
        found.append({name: value.clone() for name, value in task.net.state_dict().items()})
        assert not any(m._forward_hooks or m._backward_hooks for m in task.net.modules())
    assert all(torch.equal(a, found[1][name]) for name, a in found[0].items())


@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_probe_sees_the_loss_of_the_whole_step(make_net, data, adam, quick, accumulate):
    """loss_at at the step's own parameters is the loss, dropout included; its gradient is the step's."""
    gaps = []

    def probe(step):
        again = step.loss_at(step.params)
        leaves = {name: value.clone().requires_grad_() for name, value in step.params.items()}
        grads = torch.autograd.grad(step.loss_at(leaves), list(leaves.values()))
        gaps.append(max((g - step.grads[n]).abs().max().item() for n, g in zip(leaves, grads, strict=True)))
        return {"again": again}

    task = Regression(make_net(), adam, monitor=EVERY, probes=[probe])
    quick(max_epochs=2, accumulate_grad_batches=accumulate).fit(task, TensorLoader(data, 16, shuffle=True, seed=1))
    assert series(task, "again").values == pytest.approx(series(task, "loss").values, rel=1e-5)
    assert max(gaps) < 1e-6


def test_a_nan_stops_the_run_and_is_named(data, adam, quick):
    x, y = data
    poisoned = x.clone()
    poisoned[40] = float("nan")
    task = Regression(linear_net(), adam, monitor=MonitorOptions(flush_every=1))
    with pytest.raises(InputError, match=r"step 2 in 0\.weight"):
        quick(max_epochs=1).fit(task, TensorLoader((poisoned, y), 16))


def test_lightnings_own_clipping_is_refused(data, adam, quick):
    with pytest.raises(InputError, match=r"gradient_clip_val.*model\.clipping"):
        quick(gradient_clip_val=1.0).fit(Regression(linear_net(), adam), TensorLoader(data, 16))


def test_in_place_activations_are_read_right(data, adam, quick):
    found = []
    for inplace in (False, True):
        torch.manual_seed(1)
        net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(inplace=inplace), nn.Linear(8, 2))
        task = Regression(net, adam, monitor=EVERY)
        quick(max_epochs=1).fit(task, TensorLoader(data, 64))
        record = task.monitor.record
        found.append({(q, k): s.values.tolist() for q in record.quantities() for k, s in record.series(q).items()})
    assert found[0] == found[1]


class Opposed(TaskModule):
    """Two terms of planted gradients: (w0 - 1)^2 and 4 (w0 + 1)^2 + (w1 - 2)^2, at w = 0."""

    def loss(self, net, batch):
        return {name: block().square().sum() for name, block in self.residuals(net, batch).items()}

    def residuals(self, net, batch):
        points, scale = torch.eye(2), torch.tensor([[2.0], [1.0]])
        targets = torch.tensor([[-1.0], [2.0]])
        return {"one": lambda: at(net, points[:1]) - 1, "two": lambda: (at(net, points) - targets) * scale}


def at(net, points):
    return (per_point(net.weight, len(points))[:, 0] * points).sum(1, keepdim=True)


@pytest.mark.parametrize("least_squares", [True, False])
def test_cosine_of_terms_whose_gradients_are_known(least_squares, data, quick):
    net = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(net.weight)
    optimizer = LevenbergMarquardt if least_squares else partial(torch.optim.SGD, lr=1e-3)
    task = Opposed(net, optimizer, monitor=EVERY)
    quick(max_epochs=1, max_steps=1).fit(task, TensorLoader(data, 64))
    # gradients [-2, 0] and [8, -4]
    assert series(task, "gradient_norm/one").values[0] == pytest.approx(2, rel=1e-6)
    assert series(task, "gradient_norm/two").values[0] == pytest.approx(80**0.5, rel=1e-6)
    assert series(task, "term_cosine/one/two").values[0] == pytest.approx(-16 / (2 * 80**0.5), rel=1e-6)
    sections = {section.title: section for section in run_sections(task.monitor.record)}
    assert "-0.89, one and two at step 0" in sections["Terms of the loss"].lead
    shares = sections["Terms of the loss"].figures[0].table.rows[0]
    assert shares[1:] == pytest.approx([2 / (2 + 80**0.5), 80**0.5 / (2 + 80**0.5)], rel=1e-6)
