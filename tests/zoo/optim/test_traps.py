"""What goes wrong quietly: small norms, low precision, other devices, batch sizes, longer runs, second forwards."""

import copy

import pytest
import torch
from torch import nn

from tests.conftest import Regression
from zoo.data import TensorLoader
from zoo.errors import InputError
from zoo.nn import weight_norm_
from zoo.optim import (
    L1,
    SAM,
    Adaptive,
    AutoClip,
    ByGlobalNorm,
    ByParameterNorm,
    ByValue,
    InputGradient,
    Jacobian,
    MaxNorm,
    WarmupDecay,
    ZClip,
    parameter_groups,
)
from zoo.optim.decay import undecayed_names
from zoo.training.monitor import MonitorOptions, gradient_norms

RULES = [
    lambda: ByValue(1.0),
    lambda: ByGlobalNorm(1.0),
    lambda: ByParameterNorm(1.0),
    lambda: Adaptive(0.01),
    lambda: AutoClip(100.0, history=4),
    lambda: ZClip(warmup=2),
]


@pytest.mark.parametrize("make", RULES)
@pytest.mark.parametrize("scale", [1e-6, 1e-7])
def test_gradients_within_the_limit_keep_their_bits_however_small(make, scale):
    """A quotient limit / (norm + 1e-6) would halve a gradient whose norm is 1e-6."""
    rule = make()
    for seed in range(6):
        torch.manual_seed(seed)
        weights = [torch.randn(3, 2), torch.randn(3)]
        gradients = [scale * (0.8**seed) * nn.functional.normalize(torch.randn(6), dim=0)]
        gradients = [gradients[0].view(3, 2), gradients[0][:3].clone()]
        before = [gradient.clone() for gradient in gradients]
        norms = gradient_norms(gradients)
        after, share = rule(gradients, weights, *norms)
        assert all(torch.equal(a, b) for a, b in zip(gradients, before, strict=True))
        assert share == 0
        assert after.item() == pytest.approx(norms[1].item())


@pytest.mark.parametrize("make", RULES)
def test_rules_work_in_bf16_and_keep_their_history_in_float32(make):
    rule = make().to(torch.bfloat16)
    assert not any(buffer.dtype == torch.bfloat16 for buffer in rule.buffers())
    for seed in range(5):
        torch.manual_seed(seed)
        weights = [torch.randn(4, 4, dtype=torch.bfloat16), torch.randn((), dtype=torch.bfloat16)]
        gradients = [9 * torch.randn_like(weight) for weight in weights]
        after, _ = rule(gradients, weights, *gradient_norms(gradients))
        assert all(gradient.dtype == torch.bfloat16 for gradient in gradients)
        assert after.item() == pytest.approx(gradient_norms(gradients)[1].item(), rel=0.02)


@pytest.mark.parametrize("make", RULES)
def test_rules_move_and_hold_nothing_in_float64(make):
    rule = make()
    assert not any(buffer.dtype == torch.float64 for buffer in rule.buffers())  # Apple's GPUs have none
    assert all(buffer.device.type == "meta" for buffer in copy.deepcopy(rule).to("meta").buffers())


def test_zclip_counts_and_averages_as_written_down_by_hand():
    rule, norms = ZClip(threshold=3.0, decay=0.9, warmup=4), [1.0, 2.0, 1.5, 1.2, 1.1, 40.0, 1.3]
    mean = variance = 0.0
    for seen, norm in enumerate(norms):
        if seen == 4:  # the warm-up's plain statistics
            mean = sum(norms[:4]) / 4
            variance = sum((n - mean) ** 2 for n in norms[:4]) / 4
        limit = norm
        if seen >= 4 and (z := (norm - mean) / variance**0.5) > 3.0:
            limit = mean + 9.0 / z * variance**0.5
        gradient = [torch.tensor([norm])]
        after, share = rule(gradient, gradient, *gradient_norms(gradient))
        assert after.item() == pytest.approx(limit, rel=1e-4)
        assert share.item() == float(norm == 40.0)
        if seen >= 4:
            delta = limit - mean
            mean, variance = mean + 0.1 * delta, 0.9 * (variance + 0.1 * delta**2)
    assert rule.mean.item() == pytest.approx(mean, rel=1e-4)
    assert rule.variance.item() == pytest.approx(variance, rel=1e-4)


def test_adaptive_lets_the_zero_bias_of_a_large_vector_move():
    """A vector is one unit: an element at 0 may move as far as its neighbours allow."""
    weight, gradient = torch.tensor([0.0, 10.0]), [torch.tensor([0.05, 0.0])]
    Adaptive(0.01)(gradient, [weight], *gradient_norms(gradient))
    assert gradient[0].tolist() == pytest.approx([0.05, 0.0])


def test_magnitudes_of_weight_norm_do_not_decay():
    net = weight_norm_(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 2)))
    prefix = "parametrizations.weight.original0"
    assert {f"0.{prefix}", f"2.{prefix}", "0.bias", "2.bias"} == undecayed_names(net)


def test_spectral_norm_and_attention_are_split_rightly():
    net = nn.ModuleList(
        [nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2)), nn.MultiheadAttention(2, 1, add_bias_kv=True)]
    )
    decayed = {name for name, _ in net.named_parameters()} - undecayed_names(net)
    assert decayed == {"0.parametrizations.weight.original", "1.in_proj_weight", "1.out_proj.weight"}


def test_shared_and_frozen_parameters():
    one, two = nn.Linear(2, 2), nn.Linear(2, 2)
    two.weight = one.weight
    two.bias.requires_grad_(False)
    decayed, spared = parameter_groups(nn.Sequential(one, two))
    assert [id(p) for p in decayed["params"]] == [id(one.weight)]
    assert [id(p) for p in spared["params"]] == [id(one.bias)]


@pytest.mark.parametrize("penalty", [InputGradient(0.3), Jacobian(0.3, projections=4000)], ids=lambda p: p.name)
def test_the_strength_of_a_penalty_does_not_depend_on_the_batch_size(penalty):
    """The same example twice is the same penalty."""
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double(), torch.randn(1, 3).double()
    values = [penalty(net, x.repeat(n, 1), lambda inputs: net(inputs).square().sum(1).mean()).item() for n in (1, 8)]
    assert values[0] == pytest.approx(values[1], rel=1e-9 if penalty.name == "input_gradient" else 0.05)


def test_input_gradient_is_a_loop_over_examples():
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh()).double(), torch.randn(5, 3).double()
    squares = []
    for one in x:
        leaf = one.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(net(leaf).square().sum(), leaf)
        squares.append(gradient.square().sum().item())
    found = InputGradient(0.4)(net, x, lambda inputs: net(inputs).square().sum(1).mean())
    assert found.item() == pytest.approx(0.2 * sum(squares) / 5)


def test_a_penalty_on_no_weights_is_refused():
    with pytest.raises(InputError, match="trained weights"):
        L1(0.1)(nn.BatchNorm1d(3), None, None)


@pytest.mark.parametrize("penalties", [[InputGradient(0.1)], [Jacobian(0.1)]])
def test_layer_readings_are_of_the_loss_alone(data, quick, penalties):
    """A penalty's own forward through the net is not added to the activations and deltas."""

    def readings(penalties):
        torch.manual_seed(1)
        net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
        task = Regression(net, lambda p: torch.optim.SGD(p, lr=0.1), penalties=penalties, monitor=MonitorOptions(1))
        quick(max_steps=1, max_epochs=1, limit_val_batches=0).fit(task, TensorLoader(data, 16))
        record = task.monitor.record
        return {
            (quantity, layer): series.values.tolist()
            for quantity in ("activation_norm", "preactivation_gradient_norm", "activation_gradient_norm")
            for layer, series in record.series(quantity).items()
        }

    assert len(readings([])) >= 6
    assert readings(penalties) == readings([])


def test_max_norm_takes_a_net_that_is_one_layer():
    net = nn.Linear(2, 2)
    MaxNorm(0.1)(net)
    assert (net.weight.norm(dim=1) <= 0.1 + 1e-6).all()
    before = net.weight.clone()
    MaxNorm(0.2)(net)
    assert torch.equal(net.weight, before)


def quadratic(w, optimizer):
    def closure():
        optimizer.zero_grad()
        loss = (w**4).sum()
        loss.backward()
        return loss

    return closure


def test_sam_shares_its_state_with_the_base():
    w = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = SAM([w], lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9))
    optimizer.step(quadratic(w, optimizer))
    assert optimizer.state is optimizer.base.state
    assert "momentum_buffer" in optimizer.state[w]
    extra = nn.Parameter(torch.tensor([3.0]))
    optimizer.add_param_group({"params": [extra], "lr": 0.5})
    assert optimizer.base.param_groups[1]["params"] == [extra]


def test_adaptive_sam_is_its_formula():
    """Kwon et al. (2021): e = rho w^2 g / |w g|."""
    start = torch.tensor([1.0, -2.0], dtype=torch.float64)
    w = nn.Parameter(start.clone())
    optimizer = SAM([w], lambda p: torch.optim.SGD(p, lr=0.01), rho=0.1, adaptive=True)
    optimizer.step(quadratic(w, optimizer))
    g = 4 * start**3
    there = start + 0.1 * start**2 * g / (start * g).norm()
    assert torch.allclose(w, start - 0.01 * 4 * there**3, rtol=1e-6)


@pytest.mark.parametrize("shape", ["cosine", "linear"])
def test_a_schedule_keeps_its_position_and_takes_the_new_length(shape):
    def make(total):
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
        return optimizer, WarmupDecay(optimizer, total, 0.1, shape=shape)

    def steps(optimizer, schedule, count):
        rates = []
        for _ in range(count):
            optimizer.step()
            schedule.step()
            rates.append(schedule.get_last_lr()[0])
        return rates

    whole = steps(*make(20), 20)
    first, again, longer = make(20), make(20), make(40)
    steps(*first, 8)
    for other in (again, longer):
        for mine, theirs in zip(other, first, strict=True):
            mine.load_state_dict(theirs.state_dict())
    assert steps(*again, 12) == whole[8:]
    assert steps(*longer, 32) == steps(*make(40), 40)[8:]


def test_schedule_state_is_plain_numbers(tmp_path):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    torch.save(WarmupDecay(optimizer, 5).state_dict(), tmp_path / "state.pt")
    assert torch.load(tmp_path / "state.pt", weights_only=True)["last_epoch"] == 0
