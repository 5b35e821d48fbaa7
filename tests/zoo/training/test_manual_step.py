"""Manual steps past Lightning's detours: the same numbers, and never past someone who listens."""

from functools import partial

import pytest
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback
from pytorch_lightning.profilers import SimpleProfiler
from torch import nn

from tests.conftest import ManualRegression, readings_of
from zoo.derivatives import per_point
from zoo.optim import SAM
from zoo.training.linearised import linearised, residuals_of
from zoo.training.monitor import MonitorOptions


class Listens(Callback):
    """Notes the norm of the gradient that a callback sees before each step."""

    def __init__(self):
        self.norms = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
        self.norms.append(float(torch.stack([g.norm() for g in grads]).norm()))


class Backward(Callback):
    """Counts backward passes."""

    def __init__(self):
        self.seen = 0

    def on_after_backward(self, trainer, pl_module):
        self.seen += 1


def fitted(make_net, loader, quick, optimizer, kind=ManualRegression, **options):
    """A task after two epochs of two steps a batch, and its trainer."""
    task = kind(make_net(), optimizer, monitor=MonitorOptions(sample_every=3, flush_every=4))
    torch.manual_seed(4)
    trainer = quick(**options)
    trainer.fit(task, loader)
    return task, trainer


@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed"])
@pytest.mark.parametrize(
    "optimizer",
    [partial(torch.optim.Adam, lr=0.01), partial(SAM, base_optimizer=partial(torch.optim.SGD, lr=0.1))],
    ids=["adam", "sam"],
)
def test_a_direct_step_gives_lightnings_bits(make_net, data, loader, quick, optimizer, precision, tmp_path):
    # A profiler has every step go Lightning's way.
    runs = [
        fitted(make_net, loader, quick, optimizer, precision=precision, profiler=profiler)
        for profiler in (None, SimpleProfiler(tmp_path, "unused"))
    ]
    (direct, first), (by_lightning, second) = runs
    assert (direct._steps_directly, by_lightning._steps_directly) == (True, False)
    for one, other in zip(direct.parameters(), by_lightning.parameters(), strict=True):
        assert torch.equal(one, other)
    assert readings_of(direct.monitor.record) == readings_of(by_lightning.monitor.record)
    assert first.global_step == second.global_step == 16
    counted = [trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress for trainer in (first, second)]
    assert counted[0] == counted[1]


def test_a_callback_that_listens_is_called_before_every_step(make_net, loader, quick, adam):
    listens, backward = Listens(), Backward()
    task, _ = fitted(make_net, loader, quick, adam, callbacks=[listens, backward])
    assert listens.norms == pytest.approx(list(task.monitor.record.series("gradient_norm")[""].values), rel=1e-6)
    assert backward.seen == len(listens.norms) == 16


def test_a_task_with_a_backward_of_its_own_keeps_it(make_net, loader, quick, adam):
    class Doubled(ManualRegression):
        def backward(self, loss, *args, **kwargs):
            (2 * loss).backward()

    norms = [
        fitted(make_net, loader, quick, adam, kind)[0].monitor.record.series("gradient_norm")[""].values[0]
        for kind in (ManualRegression, Doubled)
    ]
    assert norms[1] == pytest.approx(2 * norms[0], rel=1e-6)


def test_a_step_by_hand_within_automatic_optimisation_is_refused_as_ever(make_net, loader, quick, adam):
    class Undecided(ManualRegression):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.automatic_optimization = True

    with pytest.raises(MisconfigurationException, match="manual_backward"):
        fitted(make_net, loader, quick, adam, Undecided)


@pytest.mark.parametrize("products", [False, True])
def test_linearised_terms_leave_the_gradient_of_their_sum_of_squares(products):
    net, twin = (nn.Linear(2, 1, bias=False).double() for _ in range(2))
    twin.load_state_dict(net.state_dict())
    x_ND = torch.randn(5, 2, dtype=torch.float64)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    optimizer.wants_products = products

    def at():
        return (per_point(net.weight, 5)[:, 0] * x_ND).sum(1, keepdim=True)

    blocks = {"fit": lambda: at() - 1, "size": lambda: 0.5 * at().square()}
    found = linearised(blocks, optimizer)
    terms = {"fit": (twin(x_ND) - 1).square().sum(), "size": (0.5 * twin(x_ND).square()).square().sum()}
    for name, term in terms.items():
        assert found.terms()[name].item() == pytest.approx(term.item(), rel=1e-12)
        gradients = torch.autograd.grad(term, list(twin.parameters()), retain_graph=True)
        expected_P = torch.cat([gradient.flatten() for gradient in gradients])
        torch.testing.assert_close(found.term_gradients()[name], expected_P, rtol=1e-10, atol=1e-12)
    sum(terms.values()).backward()
    for ours, theirs in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-12)
    assert torch.equal(residuals_of(blocks), found.residuals_R)
