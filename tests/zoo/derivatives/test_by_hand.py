"""The backpropagation equations against autograd, in float64 to 1e-12."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional

from zoo.derivatives import by_hand
from zoo.errors import InputError

N, SIZES = 7, (5, 6, 4, 3)
ACTIVATIONS = {
    "identity": (by_hand.IDENTITY, lambda z: z),
    "relu": (by_hand.RELU, torch.relu),
    "tanh": (by_hand.TANH, torch.tanh),
    "sigmoid": (by_hand.SIGMOID, torch.sigmoid),
    "softplus": (by_hand.SOFTPLUS, functional.softplus),
    "silu": (by_hand.SILU, functional.silu),
    "softmax": (by_hand.SOFTMAX, lambda z: torch.softmax(z, 1)),
    "own": (by_hand.elementwise(torch.sin, lambda z, a: torch.cos(z)), torch.sin),
}
LOSSES = {
    "mse": (by_hand.mean_squared_error, functional.mse_loss, lambda: torch.randn(N, 3, dtype=torch.float64)),
    "classes": (by_hand.softmax_cross_entropy, functional.cross_entropy, lambda: torch.randint(0, 3, (N,))),
    "soft": (by_hand.softmax_cross_entropy, functional.cross_entropy, lambda: torch.rand(N, 3, dtype=torch.float64)),
}


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_gradient_equals_autograd(activation, loss):
    written, plain = ACTIVATIONS[activation]
    by_formula, by_torch, make_targets = LOSSES[loss]
    inputs, targets = torch.randn(N, SIZES[0], dtype=torch.float64), make_targets()
    linear = [nn.Linear(f, g).double() for f, g in pairwise(SIZES)]
    layers = [by_hand.Layer(one.weight.detach(), one.bias.detach(), written) for one in linear]
    value, found = by_hand.backpropagate(layers, inputs, targets, by_formula)

    zs, as_, a = [], [], inputs
    for one in linear:
        zs.append(one(a))
        a = plain(zs[-1])
        as_.append(a)
    expected = by_torch(a, targets)
    close(value, expected.detach())
    for layer, module, z, a in zip(found, linear, zs, as_, strict=True):
        for name, wanted in (("z_NG", z), ("a_NG", a), ("weight_GF", module.weight), ("bias_G", module.bias)):
            close(getattr(layer, name), torch.autograd.grad(expected, wanted, retain_graph=True)[0])


def test_a_sequential_is_read():
    net = nn.Sequential(
        nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 4, bias=False), nn.Softplus(), nn.Linear(4, 3)
    ).double()
    inputs, labels = torch.randn(N, 5, dtype=torch.float64), torch.randint(0, 3, (N,))
    value, found = by_hand.backpropagate(by_hand.layers_of(net), inputs, labels, by_hand.softmax_cross_entropy)
    loss = functional.cross_entropy(net(inputs), labels)
    loss.backward()
    close(value, loss.detach())
    for layer, module in zip(found, (net[0], net[2], net[4]), strict=True):
        close(layer.weight_GF, module.weight.grad)


@pytest.mark.parametrize("wrong", [nn.Softplus(beta=2.0), nn.Softmax(dim=0), nn.Dropout(), nn.LayerNorm(4)])
def test_what_is_not_written_out_is_refused(wrong):
    with pytest.raises(InputError, match="layers_of"):
        by_hand.layers_of(nn.Sequential(nn.Linear(4, 4), wrong))
    with pytest.raises(InputError, match="targets"):
        by_hand.mean_squared_error(torch.zeros(2, 1), torch.zeros(2))


def test_the_shortcut_of_the_softmax_is_the_long_way():
    """(p - y) / N equals cross-entropy of probabilities pulled back through the softmax's Jacobian."""
    z, y = torch.randn(N, 3, dtype=torch.float64), torch.softmax(torch.randn(N, 3, dtype=torch.float64), 1)
    p = by_hand.SOFTMAX.value(z)
    close(by_hand.SOFTMAX.pull_back(z, p, -y / p / N), by_hand.softmax_cross_entropy(z, y)[1])


def test_the_example_of_the_page():
    """docs/backpropagation.md: 1 - 1 - 1, tanh then identity."""
    one, two = torch.tensor([[0.5]]), torch.tensor([[2.0]])
    layers = [by_hand.Layer(one, torch.zeros(1), by_hand.TANH), by_hand.Layer(two, torch.zeros(1))]
    loss, found = by_hand.backpropagate(layers, torch.ones(1, 1), torch.zeros(1, 1), by_hand.mean_squared_error)
    numbers = [loss, found[1].z_NG, found[1].weight_GF, found[0].a_NG, found[0].z_NG, found[0].weight_GF]
    assert [round(n.item(), 4) for n in numbers] == [0.8542, 1.8485, 0.8542, 3.6969, 2.9074, 2.9074]
