"""Weight decay groups, every torch optimiser by the same door, SAM, schedules, penalties, constraints."""

import math
import warnings

import pytest
import torch
from torch import nn

from tests.conftest import Regression
from zoo.errors import InputError
from zoo.nn import group_norm, layer_norm, rms_norm
from zoo.optim import L1, L2, SAM, InputGradient, Jacobian, MaxNorm, WarmupDecay, optimizer_for, parameter_groups
from zoo.optim.penalties import squared_input_gradient, squared_jacobian_norm

OPTIMISERS = [
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (torch.optim.Adagrad, {"lr": 0.1}),
    (torch.optim.Adadelta, {}),
    (torch.optim.RMSprop, {"lr": 0.01}),
    (torch.optim.Adam, {"lr": 0.01}),
    (torch.optim.Adam, {"lr": 0.01, "amsgrad": True}),
    (torch.optim.NAdam, {"lr": 0.01}),
    (torch.optim.RAdam, {"lr": 0.01}),
    (torch.optim.AdamW, {"lr": 0.01}),
    (torch.optim.Adamax, {"lr": 0.01}),
    (torch.optim.LBFGS, {"lr": 0.1}),
    (SAM, {"base_optimizer": lambda groups: torch.optim.SGD(groups, lr=0.1)}),
]


def net_with_norms():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), layer_norm(4), rms_norm(4), group_norm(4),
        nn.PReLU(), nn.Flatten(), nn.LazyLinear(2),
    )  # fmt: skip


def test_decay_falls_on_weights_alone_and_nothing_is_lost():
    net = net_with_norms()
    net(torch.zeros(2, 1, 6, 6))
    decayed, spared = parameter_groups(net)
    assert {id(p) for p in decayed["params"]} == {id(m.weight) for m in net if isinstance(m, (nn.Conv2d, nn.Linear))}
    assert spared["weight_decay"] == 0
    assert len(decayed["params"]) + len(spared["params"]) == len(list(net.parameters()))


@pytest.mark.parametrize("asked", [False, True])
def test_weight_decay_moves_biases_only_when_asked(asked):
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = {name: p.clone() for name, p in net.named_parameters()}
    optimizer = optimizer_for(net, lambda groups: torch.optim.AdamW(groups, lr=0.1, weight_decay=0.5), asked)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    moved = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert moved == ({"0.weight", "0.bias", "1.weight"} if asked else {"0.weight"})  # the norm's bias is zero


@pytest.mark.parametrize(("kind", "options"), OPTIMISERS, ids=lambda x: getattr(x, "__name__", ""))
def test_every_optimiser_minimises_a_quadratic(kind, options):
    torch.manual_seed(0)
    net = nn.Linear(3, 1)
    x = torch.randn(32, 3)
    y = x @ torch.tensor([[1.0], [2.0], [3.0]])
    optimizer = optimizer_for(net, lambda params: kind(params, **options))

    def closure():
        optimizer.zero_grad()
        loss = (net(x) - y).square().mean()
        loss.backward()
        return loss

    first = closure().item()
    for _ in range(60):
        optimizer.step(closure)
    assert closure().item() < first * (0.9999 if kind is torch.optim.Adadelta else 0.9)


def test_muon_refuses_biases_in_one_line():
    with pytest.raises(InputError, match=r"optimizer: .*2D"):
        optimizer_for(nn.Linear(3, 3), lambda params: torch.optim.Muon(params, lr=0.1))
    optimizer_for(nn.Linear(3, 3, bias=False), lambda params: torch.optim.Muon(params, lr=0.1))


def test_a_frozen_net_is_refused():
    with pytest.raises(InputError, match="requires a gradient"):
        optimizer_for(nn.Linear(2, 2).requires_grad_(False), torch.optim.SGD)


def test_sam_is_the_step_of_the_paper_on_a_quadratic():
    """L = w'Aw/2: the step is -lr A (w + rho Aw / |Aw|)."""
    a = torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    start = torch.tensor([1.0, -2.0], dtype=torch.float64)
    w = nn.Parameter(start.clone())
    optimizer = SAM([w], lambda params: torch.optim.SGD(params, lr=0.1), rho=0.05)

    def closure():
        optimizer.zero_grad()
        loss = w @ a @ w / 2
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    g = a @ start
    expected = start - 0.1 * a @ (start + 0.05 * g / g.norm())
    assert loss.item() == pytest.approx((start @ a @ start / 2).item())
    assert torch.allclose(w, expected, atol=1e-6)


def test_sam_follows_a_schedule_and_resumes():
    def make():
        torch.manual_seed(0)
        net = nn.Linear(3, 1)
        optimizer = SAM(net.parameters(), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))
        return net, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)

    def run(net, optimizer, schedule, steps):
        def closure():
            optimizer.zero_grad()
            loss = net(torch.ones(2, 3)).square().mean()
            loss.backward()
            return loss

        for _ in range(steps):
            optimizer.step(closure)
            schedule.step()

    whole = make()
    run(*whole, 4)
    assert whole[1].base.param_groups[0]["lr"] == pytest.approx(0.1 / 16)
    half, other = make(), make()
    run(*half, 2)
    for mine, theirs in zip(other, half, strict=True):
        mine.load_state_dict(theirs.state_dict())
    run(*other, 2)
    assert torch.equal(whole[0].weight, other[0].weight)
    with pytest.raises(InputError, match="closure"):
        half[1].step()


def test_warmup_decay_is_its_formula():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = WarmupDecay(optimizer, total_steps=10, warmup_fraction=0.2, final_fraction=0.1)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(11):
            rates.append(optimizer.param_groups[0]["lr"])
            schedule.step()
    expected = [2 / 3, 4 / 3] + [2 * (0.1 + 0.9 * (1 + math.cos(math.pi * k / 8)) / 2) for k in range(9)]
    assert rates == pytest.approx(expected)
    with pytest.raises(InputError, match="total_steps"):
        WarmupDecay(optimizer)


def test_l1_and_l2_fall_on_weights():
    net = nn.Linear(2, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[3.0, -4.0]]))
        net.bias.fill_(10.0)
    assert L1(0.1)(net, None, None).item() == pytest.approx(0.7)
    assert L2(0.1)(net, None, None).item() == pytest.approx(0.05 * 25)
    assert L1(0.1, norms_and_biases=True)(net, None, None).item() == pytest.approx(1.7)


def smooth_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()


@pytest.mark.parametrize("which", ["input_gradient", "jacobian"])
def test_double_backpropagation_equals_finite_differences(which):
    """d penalty / d theta, which needs the second derivative, in float64."""
    net, x = smooth_net(), torch.randn(5, 3, dtype=torch.float64)

    def value() -> torch.Tensor:
        torch.manual_seed(3)
        if which == "input_gradient":
            return InputGradient(0.7)(net, x, lambda inputs: net(inputs).square().mean())
        return Jacobian(0.7, projections=2)(net, x, None)

    grads = torch.autograd.grad(value(), list(net.parameters()), allow_unused=True)
    for parameter, grad in zip(net.parameters(), grads, strict=True):
        flat = parameter.data.view(-1)
        for i in range(0, flat.numel(), 3):
            old, step = flat[i].item(), 1e-6
            flat[i] = old + step
            above = value().item()
            flat[i] = old - step
            below = value().item()
            flat[i] = old
            got = 0.0 if grad is None else grad.view(-1)[i].item()
            assert got == pytest.approx((above - below) / (2 * step), abs=1e-7)


def test_input_gradient_of_a_linear_loss():
    w = torch.tensor([1.0, -2.0, 3.0])
    assert squared_input_gradient(lambda x: (x @ w).sum(), torch.zeros(4, 3)).item() == pytest.approx(4 * 14)


def test_random_projections_estimate_the_jacobian_norm():
    a = torch.randn(3, 5, dtype=torch.float64)
    found = squared_jacobian_norm(lambda x: x @ a.T, torch.randn(500, 5, dtype=torch.float64), 20)
    assert found.item() == pytest.approx(a.square().sum().item(), rel=0.05)


def test_max_norm_projects_rows_and_leaves_the_others():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([[3.0, 4.0], [0.3, 0.4]]))
    first = net[0].weight.clone()
    MaxNorm(1.0, "1.*")(net)
    assert torch.allclose(net[1].weight, torch.tensor([[0.6, 0.8], [0.3, 0.4]]), atol=1e-5)
    assert torch.equal(net[0].weight, first)
    with pytest.raises(InputError, match="pattern"):
        MaxNorm(1.0, "fc*")(net)


def test_a_penalty_given_twice_is_refused(make_net, adam):
    with pytest.raises(InputError, match="each kind once"):
        Regression(make_net(), adam, penalties=[L2(1.0), L2(2.0)])
