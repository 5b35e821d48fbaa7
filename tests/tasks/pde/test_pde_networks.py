"""Every net for PDEs: jets against nested autograd, and its Jacobian against one gradient a row, in float64."""

import copy

import pytest
import torch
from torch import nn

from tasks.pde.networks import MLP, ModifiedMLP, PirateNet
from zoo.derivatives import JetSpace, derivatives_of, jet_of, residual_jacobian
from zoo.errors import InputError
from zoo.nn import AdaptiveTanh, FourierFeatures, PeriodicFeatures

SPACE = JetSpace(("t", "x"), frozenset({"t", "xxx"}))

NETS = {
    "MLP": lambda: MLP(2, 2, [7, 6]),
    "MLP, sigmoid": lambda: MLP(2, 2, [7, 6], nn.Sigmoid),
    "MLP, adaptive tanh": lambda: MLP(2, 2, [7, 6], AdaptiveTanh),
    "MLP, Fourier features": lambda: MLP(2, 2, [7], features=FourierFeatures(2, 6)),
    "MLP, periodic features": lambda: MLP(2, 2, [7], features=PeriodicFeatures(2, {1: 2.0}, harmonics=2)),
    "ModifiedMLP": lambda: ModifiedMLP(2, 2, 6, 2),
    "ModifiedMLP, periodic features": lambda: ModifiedMLP(2, 2, 6, 2, features=PeriodicFeatures(2, {1: 2.0})),
    "PirateNet": lambda: PirateNet(2, 2, 6, 2),
    "PirateNet, periodic features": lambda: PirateNet(2, 2, 6, 1, features=PeriodicFeatures(2, {1: 2.0})),
}


def net_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    net = NETS[name]().double()
    with torch.no_grad():
        for parameter in net.parameters():  # no zero stays zero: biases, alpha
            parameter += 0.1 * torch.randn_like(parameter)
    return net


@pytest.mark.parametrize("name", NETS)
def test_jets_are_nested_autograd(name):
    net, points = net_of(name), torch.rand(5, 2, dtype=torch.float64)
    jets, nested = (derivatives_of(net, points, SPACE, method) for method in ("jets", "nested"))
    for derivative in SPACE.names:
        torch.testing.assert_close(jets[derivative], nested[derivative], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("method", ["jets", "nested"])
@pytest.mark.parametrize("name", NETS)
def test_jacobian_is_one_gradient_a_row(name, method):
    net, points = net_of(name), torch.rand(4, 2, dtype=torch.float64)
    parameters = list(net.parameters())

    def residuals():
        u = derivatives_of(net, points, SPACE, method)
        return u["t"] + u[""] * u["x"] - 0.1 * u["xxx"]

    rows, jacobian = residual_jacobian(residuals, parameters)
    expected = residuals()
    torch.testing.assert_close(rows, expected.detach(), rtol=1e-12, atol=1e-12)
    for row, residual in zip(jacobian, expected.flatten(), strict=True):
        gradient = torch.autograd.grad(residual, parameters, retain_graph=True, materialize_grads=True)
        flat = torch.cat([g.flatten() for g in gradient])
        assert flat.norm() > 0
        torch.testing.assert_close(row, flat, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ["MLP, periodic features", "ModifiedMLP, periodic features"])
def test_periodic_nets_are_periodic_with_every_derivative(name):
    net, points = net_of(name), torch.rand(6, 2, dtype=torch.float64)
    here, there = (net(jet_of(p, SPACE)) for p in (points, points + torch.tensor([0.0, 2.0])))
    aside = net(jet_of(points + torch.tensor([0.0, 1.0]), SPACE))
    for derivative in SPACE.names:
        torch.testing.assert_close(here[derivative], there[derivative], rtol=1e-11, atol=1e-11)
    assert not torch.allclose(here[""], aside[""], atol=1e-3)


def test_pirate_net_is_linear_in_its_features_at_the_start():
    torch.manual_seed(0)
    net, points = PirateNet(2, 1, 8, 3).double(), torch.rand(5, 2, dtype=torch.float64)
    torch.testing.assert_close(net(points), net.last(net.features(points)), rtol=1e-14, atol=1e-14)


def test_modified_mlp_is_the_papers_formula():
    net, points = net_of("ModifiedMLP"), torch.rand(5, 2, dtype=torch.float64)
    u, v, h = net.gate_u(points), net.gate_v(points), points
    for layer in net.hidden:
        z = layer(h)
        h = z * u + (1 - z) * v
    torch.testing.assert_close(net(points), net.last(h), rtol=1e-13, atol=1e-13)


def test_fourier_features_are_cosines_and_sines_of_a_fixed_matrix():
    torch.manual_seed(0)
    features = FourierFeatures(2, 8, scale=3.0).double()
    twin = copy.deepcopy(features)
    points = torch.rand(4, 2, dtype=torch.float64)
    phase = points @ features.frequencies.t()
    torch.testing.assert_close(features(points)[:, :4], phase.cos())
    torch.testing.assert_close(features(points), twin(points))
    assert not list(features.parameters()) and "frequencies" in features.state_dict()


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda: FourierFeatures(2, 5), "an even number, got 5"),
        (lambda: PeriodicFeatures(2, {2: 1.0}), r"columns 0\.\.1"),
        (lambda: PeriodicFeatures(2, {0: -1.0}), "positive periods"),
    ],
)
def test_common_mistakes(act, says):
    with pytest.raises(InputError, match=says):
        act()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MLP", "ModifiedMLP"])
def test_compiled_in_one_graph_with_the_same_numbers(name):
    net, points = net_of(name), torch.rand(5, 2, dtype=torch.float64)
    parameters = list(net.parameters())

    def loss(at):
        u = net(jet_of(at, SPACE))
        return (u["t"] + u[""] * u["x"] - 0.1 * u["xxx"]).square().mean()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")(points)
    torch.testing.assert_close(compiled, loss(points), rtol=1e-13, atol=1e-14)
    found, expected = (torch.autograd.grad(one, parameters, materialize_grads=True) for one in (compiled, loss(points)))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-13)
