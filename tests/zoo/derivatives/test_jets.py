"""Jets against nested autograd, and the Jacobian of single points against one gradient a row, in float64."""

import pytest
import torch
from torch import nn

from zoo.derivatives import Jet, JetSpace, NoJetRule, gram, jet_of, per_point, residual_jacobian
from zoo.derivatives.smooth import SMOOTH
from zoo.derivatives.space import LAPLACIAN
from zoo.errors import InputError


class Sine(nn.Module):
    def forward(self, x):
        return torch.sin(x) + 0.5 * torch.cos(x)


class Gated(nn.Module):
    """Products, sums, constants and concatenations of features, as networks write them."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 6), nn.Linear(2, 6), nn.Linear(8, 2)

    def forward(self, x):
        gate, value = torch.sigmoid(self.first(x)), torch.tanh(self.second(x))
        mixed = gate * value + (1 - gate) * 0.3 - value / 2
        return self.last(torch.cat([mixed, x * torch.tensor([2.0, 3.0], dtype=x.dtype)], -1)) ** 2 + x[..., 0:1]


def net_of(activation: nn.Module, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 7), activation, nn.Linear(7, 5), activation, nn.Linear(5, 2)).double()


def nested(net, points, name, coordinates="tx"):
    """The slow twin: one autograd.grad a letter."""
    points = points.clone().requires_grad_()
    out = net(points)
    columns = []
    for feature in range(out.shape[1]):
        value = out[:, feature]
        for letter in name:
            column = coordinates.index(letter)
            value = torch.autograd.grad(value.sum(), points, create_graph=True)[0][:, column]
        columns.append(value)
    return torch.stack(columns, 1)


ACTIVATIONS = [nn.Tanh(), nn.Sigmoid(), nn.SiLU(), nn.GELU(), nn.Softplus(), nn.Softplus(beta=5), Sine()]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("names", [("t", "xx"), ("tx", "txx"), ("xxxx", "tttt"), ("ttxx",), ("",)])
def test_jets_are_nested_autograd(activation, names):
    net = net_of(activation)
    points = torch.randn(6, 2, dtype=torch.float64)
    jet = net(jet_of(points, JetSpace(("t", "x"), frozenset(names))))
    for name in jet.space.names:
        torch.testing.assert_close(jet[name], nested(net, points, name), rtol=1e-11, atol=1e-11)


def test_jets_go_through_gates_products_and_concatenations():
    torch.manual_seed(1)
    net, points = Gated().double(), torch.randn(5, 2, dtype=torch.float64)
    jet = net(jet_of(points, JetSpace(("t", "x"), frozenset({"xxx", "tx"}))))
    for name in jet.space.names:
        torch.testing.assert_close(jet[name], nested(net, points, name), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("function", SMOOTH, ids=lambda f: f.__name__)
def test_elementwise_derivatives(function):
    z = torch.rand(20, dtype=torch.float64) + 0.3
    value = expected = function(z.requires_grad_())
    for derivative in SMOOTH[function](z.detach(), value.detach(), 5):
        expected = torch.autograd.grad(expected.sum(), z, create_graph=True)[0]
        torch.testing.assert_close(derivative.expand(20), expected.detach(), rtol=1e-10, atol=1e-10)
        if not expected.requires_grad:
            break


def test_laplacian_is_the_sum_of_second_derivatives():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 9), nn.Tanh(), nn.Linear(9, 1)).double()
    points = torch.randn(7, 4, dtype=torch.float64)
    jet = net(jet_of(points, JetSpace(tuple("txyz"), frozenset({LAPLACIAN}))))
    assert jet.space.names == ("", "z", "y", "x", LAPLACIAN)
    expected = sum(nested(net, points, 2 * c, "txyz") for c in "xyz")
    torch.testing.assert_close(jet[LAPLACIAN], expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("names", [("t", "xx"), ("txx",), (LAPLACIAN,), ("xxxx",)])
def test_gradients_through_jets_are_nested_autograds(names):
    net, points = net_of(nn.Tanh()), torch.randn(6, 2, dtype=torch.float64)
    jet = net(jet_of(points, JetSpace(("t", "x"), frozenset(names))))
    ours = torch.autograd.grad(sum((jet[n] ** 2).sum() for n in names), list(net.parameters()))
    twins = [nested(net, points, "xx" if n == LAPLACIAN else n) for n in names]
    expected = torch.autograd.grad(sum((t**2).sum() for t in twins), list(net.parameters()), allow_unused=True)
    for one, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(one, torch.zeros_like(one) if other is None else other, rtol=1e-10, atol=1e-10)


def test_gradients_of_jets_can_be_differentiated_again():
    net, points = net_of(nn.Tanh()), torch.randn(3, 2, dtype=torch.float64)
    weight = net[0].weight.detach().clone().requires_grad_()

    def loss(w):
        named = {**dict(net.named_parameters()), "0.weight": w}
        jet = torch.func.functional_call(net, named, (jet_of(points, JetSpace(("t", "x"), frozenset({"xx"}))),))
        return (jet["xx"] ** 2).sum()

    assert torch.autograd.gradgradcheck(loss, (weight,))


def residuals_of(net, points, constant):
    u = net(jet_of(points, JetSpace(("t", "x"), frozenset({"t", "xx"}))))
    nu = per_point(constant, len(points))[:, None]
    return u["t"] + u[""] * u["x"] - nu * u["xx"]


def test_jacobian_is_one_gradient_a_row():
    net, points = net_of(nn.Tanh()), torch.randn(6, 2, dtype=torch.float64)
    nu = nn.Parameter(torch.tensor(0.3, dtype=torch.float64))
    parameters = [*net.parameters(), nu]
    rows, jacobian = residual_jacobian(lambda: residuals_of(net, points, nu), parameters)
    expected = residuals_of(net, points, nu)
    torch.testing.assert_close(rows, expected.detach(), rtol=1e-13, atol=1e-13)
    for row, residual in zip(jacobian, expected.flatten(), strict=True):
        gradient = torch.autograd.grad(residual, parameters, retain_graph=True)
        torch.testing.assert_close(row, torch.cat([g.flatten() for g in gradient]), rtol=1e-11, atol=1e-11)


def test_jacobian_of_a_net_used_twice():
    net, points = net_of(nn.Tanh()), torch.randn(4, 2, dtype=torch.float64)
    mirror = torch.tensor([1.0, -1.0], dtype=torch.float64)

    def odd():
        x = jet_of(points, JetSpace(("t", "x"), frozenset({"xx"})))
        return (net(x) - net(x * mirror))["xx"]

    _, jacobian = residual_jacobian(odd, list(net.parameters()))
    for row, residual in zip(jacobian, odd().flatten(), strict=True):
        gradient = torch.autograd.grad(residual, list(net.parameters()), retain_graph=True, allow_unused=True)
        flat = [torch.zeros_like(p) if g is None else g for g, p in zip(gradient, net.parameters(), strict=True)]
        torch.testing.assert_close(row, torch.cat([g.flatten() for g in flat]), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda: JetSpace(("t", "x"), frozenset({"xy"})), "derivative 'xy'"),
        (lambda: JetSpace(("t", "x"), frozenset({"xxxxx"})), "up to 4"),
        (lambda: jet_of(torch.rand(3, 3), JetSpace(("t", "x"), frozenset({"t"}))), r"expected \[N, 2\]"),
    ],
)
def test_common_mistakes(act, says):
    with pytest.raises(InputError, match=says):
        act()


def test_relu_is_refused():
    with pytest.raises(NoJetRule, match="relu"):
        net_of(nn.ReLU())(jet_of(torch.rand(3, 2, dtype=torch.float64), JetSpace(("t", "x"), frozenset({"xx"}))))


def test_a_parameter_that_no_jacobian_covers_is_refused():
    scale = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    net, points = net_of(nn.Tanh()), torch.rand(3, 2, dtype=torch.float64)
    with pytest.raises(InputError, match="freeze it"):
        residual_jacobian(lambda: residuals_of(net, points, 0.1 * scale), [*net.parameters(), scale])


def test_a_jet_of_features_alone():
    assert isinstance(jet_of(torch.rand(3, 2), JetSpace(("t", "x"), frozenset({"t"})))[..., :1], Jet)


def test_gram_is_the_product():
    jacobian = torch.randn(50, 37, dtype=torch.float64)
    expected = jacobian.t() @ jacobian
    torch.testing.assert_close(gram(jacobian, block=8), expected, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(gram(jacobian.t().contiguous().t()), expected, rtol=1e-13, atol=1e-13)
