"""Maxout, norms, initialisers, LSUV and stochastic neurons against closed forms."""

import math
from itertools import product

import pytest
import torch
from torch import nn

from zoo.errors import InputError
from zoo.nn import (
    GumbelBinary,
    Maxout,
    MaxoutConv2d,
    MaxoutLinear,
    StraightThrough,
    gain_of,
    glorot_normal_,
    glorot_uniform_,
    group_norm,
    he_normal_,
    he_uniform_,
    initialise_,
    layer_norm,
    lecun_normal_,
    lecun_uniform_,
    lsuv_,
    orthogonal_,
    reinforce_loss,
    rms_norm,
    sample_binary,
    weight_norm_,
)


@pytest.mark.parametrize("layer", [MaxoutLinear(3, 4, pieces=3), MaxoutConv2d(3, 2, 1, pieces=2)])
def test_maxout_is_the_maximum_of_its_pieces(layer):
    layer = layer.double()
    x = torch.randn(5, 3, *([1, 1] if isinstance(layer, MaxoutConv2d) else []), dtype=torch.float64, requires_grad=True)
    z, pieces = layer[0](x), layer[1].pieces
    expected = torch.stack([z[:, p::pieces] for p in range(pieces)]).max(0).values
    assert torch.equal(layer(x), expected)
    assert torch.autograd.gradcheck(layer, x)
    with pytest.raises(InputError, match="divisible"):
        Maxout(2)(torch.zeros(1, 3))


@pytest.mark.parametrize("make", [layer_norm, rms_norm, group_norm])
def test_channel_norms_by_hand(make):
    x = torch.randn(2, 6, 3, 3, dtype=torch.float64, requires_grad=True)
    norm = make(6).double()
    if make is group_norm:
        expected = (x - x.mean((1, 2, 3), keepdim=True)) / (
            x.var((1, 2, 3), unbiased=False, keepdim=True) + 1e-5
        ).sqrt()
        norm = group_norm(6, groups=1).double()
    elif make is layer_norm:
        expected = (x - x.mean(1, keepdim=True)) / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    else:
        expected = x / (x.square().mean(1, keepdim=True) + 1e-6).sqrt()
    assert torch.allclose(norm(x), expected, atol=1e-12)
    assert torch.autograd.gradcheck(norm, x)


def test_group_norm_finds_groups_that_fit():
    assert [group_norm(c).num_groups for c in (8, 12, 7, 3)] == [8, 6, 7, 3]


def test_weight_norm_keeps_the_function_and_splits_the_weight():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 2))
    x = torch.randn(3, 1, 3, 3)
    before = net(x)
    assert torch.allclose(weight_norm_(net)(x), before, atol=1e-6)
    assert {"0.parametrizations.weight.original0", "0.parametrizations.weight.original1"} <= set(net.state_dict())


@pytest.mark.parametrize(
    ("initialiser", "variance"),
    [
        (lecun_normal_, 1 / 450), (lecun_uniform_, 1 / 450), (glorot_normal_, 2 / (450 + 900)),
        (glorot_uniform_, 2 / (450 + 900)), (he_normal_, 1 / 900), (he_uniform_, 1 / 900),
    ],
)  # fmt: skip
def test_initialisers_have_the_variance_of_their_paper(initialiser, variance):
    weight = initialiser(torch.empty(100, 50, 3, 3), 1.5)
    assert weight.var().item() == pytest.approx(1.5**2 * variance, rel=0.03)
    assert abs(weight.mean().item()) < 4 * math.sqrt(1.5**2 * variance / weight.numel())
    if "uniform" in initialiser.__name__:
        assert weight.abs().max().item() <= 1.5 * math.sqrt(3 * variance) + 1e-7


def test_orthogonal_rows():
    weight = orthogonal_(torch.empty(4, 9), 2.0)
    assert torch.allclose(weight @ weight.T, 4 * torch.eye(4), atol=1e-5)


@pytest.mark.parametrize("activation", [nn.GELU(), nn.SiLU(), nn.Mish(), nn.ELU(), nn.ReLU(), nn.LeakyReLU(0.2)])
def test_gains_keep_the_second_moment(activation):
    z = torch.randn(2_000_000, generator=torch.Generator().manual_seed(0))
    assert gain_of(activation) ** 2 * activation(z).square().mean().item() == pytest.approx(1, rel=0.02)


def test_he_initialisation_carries_a_signal_through_fifty_layers():
    torch.manual_seed(0)
    layers = [part for _ in range(50) for part in (nn.Linear(256, 256), nn.ReLU())]
    net = initialise_(nn.Sequential(*layers), he_normal_, nn.ReLU())
    x = torch.randn(64, 256)
    assert 0.2 < net(x).square().mean().item() / x.square().mean().item() < 5


def test_lsuv_gives_every_layer_unit_variance():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.Tanh(),
        nn.Conv2d(8, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 16, 5),
    )
    x = 3 + 10 * torch.randn(64, 1, 8, 8)
    running = net[3].running_mean.clone()
    lsuv_(net, x)
    assert torch.equal(net[3].running_mean, running)
    net.train()
    for layer in (net[0], net[2], net[6]):
        found = []
        handle = layer.register_forward_hook(lambda _m, _i, out, found=found: found.append(out.var().item()))
        net(x)
        handle.remove()
        assert found[0] == pytest.approx(1, abs=0.03)
    with pytest.raises(InputError, match="vary"):
        lsuv_(nn.Sequential(nn.Linear(2, 2)), torch.zeros(4, 2))


def test_straight_through_is_its_definition():
    z = torch.randn(50, requires_grad=True)
    layer = StraightThrough().train()
    h = layer(z)
    assert set(h.detach().round(decimals=5).tolist()) <= {0.0, 1.0}
    h.sum().backward()
    p = torch.sigmoid(z.detach())
    assert torch.allclose(z.grad, p * (1 - p))
    assert torch.equal(layer.eval()(z), torch.sigmoid(z))


def test_reinforce_is_unbiased():
    """Against the exact derivative of E[loss], by enumeration of all eight states."""
    target = torch.tensor([1.0, 0.0, 1.0])

    def loss(h):
        return (h - target).square().sum(-1) + 3 * h.prod(-1)

    z = torch.tensor([0.3, -0.8, 0.5], requires_grad=True)
    p = torch.sigmoid(z)
    states = torch.tensor(list(product([0.0, 1.0], repeat=3)))
    chances = torch.where(states > 0, p, 1 - p).prod(1)
    (exact,) = torch.autograd.grad((chances * loss(states)).sum(), z)
    repeated = z.detach().expand(200_000, 3).clone().requires_grad_()
    h, log_probs = sample_binary(repeated)
    reinforce_loss(log_probs, loss(h)).backward()
    samples = repeated.grad * len(repeated)  # each row is one estimate
    error = samples.std(0) / math.sqrt(len(samples))
    assert ((samples.mean(0) - exact).abs() < 4 * error).all()


def test_gumbel_becomes_bernoulli_as_the_temperature_falls():
    z = torch.full((100_000,), 0.7)
    soft = GumbelBinary(temperature=0.01, hard=False).train()(z)
    assert soft.mean().item() == pytest.approx(torch.sigmoid(torch.tensor(0.7)).item(), abs=0.01)
    assert ((soft < 0.01) | (soft > 0.99)).float().mean() > 0.95
    hard = GumbelBinary(hard=True).train()(z.requires_grad_())
    assert set(hard.detach().round(decimals=5).unique().tolist()) == {0.0, 1.0}
    hard.sum().backward()
    assert z.grad.abs().sum() > 0
