"""Nested autograd as a fallback: closed forms, what it says, what it refuses; copies of parameters."""

import math

import pytest
import torch
from torch import nn

from zoo.derivatives import JetSpace, NoJetRule, derivatives_of, jet_of, nested_of, per_point, residual_jacobian
from zoo.errors import InputError


class Gaussian(nn.Module):
    """A smooth function without a rule for jets."""

    def forward(self, x):
        return torch.special.expit(x) * torch.special.erf(x)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 5), nn.Linear(5, 1)
        self.slopes, self.shift = nn.Parameter(torch.rand(5) + 0.5), nn.Parameter(torch.tensor(0.3))

    def forward(self, x):
        return self.last(torch.special.erf(self.first(x) * self.slopes - self.shift)) / self.shift


def test_derivatives_of_a_known_function():
    x = torch.rand(7, 2, dtype=torch.float64)
    space = JetSpace(("t", "x"), frozenset({"txx", "laplacian"}))
    u = nested_of(lambda p: torch.sin(2 * p[:, 1:]) * torch.exp(-p[:, :1]), x, space)
    t, y = x[:, :1], x[:, 1:]
    torch.testing.assert_close(u["xxt"], 4 * torch.sin(2 * y) * torch.exp(-t), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(u["laplacian"], -4 * torch.sin(2 * y) * torch.exp(-t), rtol=1e-13, atol=1e-13)


def test_second_derivative_of_a_straight_function_is_zero():
    u = nested_of(nn.Linear(1, 1), torch.rand(3, 1), JetSpace(("x",), frozenset({"xxx"})))
    assert u["xx"].abs().max() == 0 and u["xxx"].abs().max() == 0


def test_auto_takes_jets_else_says_once_that_it_does_not(capsys):
    points, space = torch.rand(3, 2), JetSpace(("t", "x"), frozenset({"xx"}))
    derivatives_of(nn.Sequential(nn.Linear(2, 4), nn.Tanh()), points, space)
    assert capsys.readouterr().err == ""
    net = nn.Sequential(nn.Linear(2, 4), Gaussian(), nn.Linear(4, 1))
    for _ in range(2):
        derivatives_of(net, points, space)["xx"]
    assert capsys.readouterr().err.count("nested autograd") == 1
    with pytest.raises(NoJetRule):
        derivatives_of(net, points, space, "jets")


def test_without_gradients_nothing_keeps_its_graph():
    net, space = nn.Sequential(nn.Linear(1, 3), Gaussian(), nn.Linear(3, 2)), JetSpace(("x",), frozenset({"xx"}))
    with torch.no_grad():
        u = derivatives_of(net, torch.rand(4, 1), space, "nested")
        assert not u["xx"].requires_grad and not u[""].requires_grad
    v = derivatives_of(net, torch.rand(4, 1), space, "nested")
    assert v["xx"].requires_grad and v[..., 1:]["xx"].shape == (4, 1)
    torch.testing.assert_close(v[..., 1:]["xx"], v["xx"][:, 1:])


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(), nn.Hardtanh()], ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("method", ["auto", "nested"])
def test_straight_pieces_are_refused_where_second_derivatives_are_wanted(activation, method):
    net = nn.Sequential(nn.Linear(2, 4), activation, Gaussian(), nn.Linear(4, 1))
    with pytest.raises(InputError, match="a derivative order the net cannot give"):
        derivatives_of(net, torch.rand(3, 2), JetSpace(("t", "x"), frozenset({"xx"})), method)
    derivatives_of(net, torch.rand(3, 2), JetSpace(("t", "x"), frozenset({"t"})), "nested")


def test_jacobian_of_a_net_that_jets_refuse():
    torch.manual_seed(0)
    net, points = Scaled().double(), torch.rand(6, 2, dtype=torch.float64)
    nu = nn.Parameter(torch.tensor(0.2, dtype=torch.float64))
    parameters = [nu, *net.parameters()]

    def residuals():
        u = derivatives_of(net, points, JetSpace(("t", "x"), frozenset({"t", "xx"})), "nested")
        return torch.cat([u["t"] - per_point(nu, len(points))[:, None] * u["xx"], u[""] * u["x"]], 1)

    rows, jacobian = residual_jacobian(residuals, parameters)
    for row, residual in zip(jacobian, residuals().flatten(), strict=True):
        gradient = torch.autograd.grad(residual, parameters, retain_graph=True, materialize_grads=True)
        torch.testing.assert_close(row, torch.cat([g.flatten() for g in gradient]), rtol=1e-10, atol=1e-11)
    assert rows.shape == (6, 2)


def test_weights_made_of_other_weights_are_refused_and_not_taken_as_constant():
    net = nn.Sequential(torch.nn.utils.parametrizations.weight_norm(nn.Linear(2, 4)), nn.Tanh(), nn.Linear(4, 1))
    points, space = torch.rand(3, 2), JetSpace(("t", "x"), frozenset({"xx"}))
    with pytest.raises(InputError, match="per_example_jacobian"):
        residual_jacobian(lambda: derivatives_of(net, points, space)["xx"], list(net.parameters()))


def test_two_numbers_of_points_in_one_residual_are_refused():
    nu = nn.Parameter(torch.tensor(math.pi))
    with pytest.raises(InputError, match="one number of points"):
        residual_jacobian(lambda: per_point(nu, 3) + per_point(nu, 4)[:3], [nu])


def test_unknown_method():
    with pytest.raises(InputError, match="auto, jets or nested"):
        derivatives_of(nn.Tanh(), torch.rand(2, 1), JetSpace(("x",), frozenset({"x"})), "symbolic")


def test_values_are_the_same_without_gradients():
    net, points = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 2)).double(), torch.randn(4, 2).double()
    space = JetSpace(("t", "x"), frozenset({"txx", "laplacian"}))
    with torch.no_grad():
        without = nested_of(net, points, space)
        for name in space.names:
            assert without[..., 0:1][name].equal(nested_of(net, points, space)[name][:, 0:1])
            assert not without[name].requires_grad
    jets = net(jet_of(points, space))
    for name in space.names:
        torch.testing.assert_close(without[name], jets[name])


class Method(nn.Module):
    """Written by a tensor's method, which jets do not have."""

    def forward(self, x):
        return x.sin()


def test_methods_that_jets_lack_are_left_to_nested_autograd(capsys):
    points = torch.rand(3, 1).double()
    u = derivatives_of(Method(), points, JetSpace(("x",), frozenset({"xx"})))
    torch.testing.assert_close(u["xx"], -torch.sin(points))
    assert "no rule for the method sin" in capsys.readouterr().err
