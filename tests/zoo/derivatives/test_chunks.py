"""Sums over chunks of points equal sums over all of them, and stay small."""

import pytest
import torch
from torch import nn

from zoo.derivatives import JetSpace, chunk_within, chunked_sum, jet_of, normal_equations, residual_jacobian
from zoo.errors import InputError

SPACE = JetSpace(("t", "x"), frozenset({"t", "xx"}))


def burgers(seed: int = 0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)).double()

    def residuals(points):
        u = net(jet_of(points, SPACE))
        return u["t"] + u[""] * u["x"] - 0.1 * u["xx"]

    return net, residuals, torch.rand(50, 2, dtype=torch.float64)


@pytest.mark.parametrize("chunk", [7, 50, 1000])
def test_loss_and_gradient(chunk):
    net, residuals, points = burgers()
    parameters = list(net.parameters())
    loss = 3 * chunked_sum(lambda part: residuals(part).square().sum(), points, parameters, chunk) / len(points)
    whole = 3 * residuals(points).square().mean()
    torch.testing.assert_close(loss, whole, rtol=1e-13, atol=1e-14)
    expected = torch.autograd.grad(whole, parameters, materialize_grads=True)
    for one, other in zip(torch.autograd.grad(loss, parameters), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-13)


def test_normal_equations():
    net, residuals, points = burgers()
    parameters = list(net.parameters())
    matrix, gradient, cost = normal_equations(residuals, points, parameters, chunk=16)
    rows, jacobian = residual_jacobian(lambda: residuals(points), parameters)
    torch.testing.assert_close(matrix, jacobian.t() @ jacobian, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(gradient, jacobian.t() @ rows.flatten(), rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(cost, rows.square().sum())


def test_frozen_parameters_get_no_gradient():
    net, residuals, points = burgers()
    net[0].weight.requires_grad_(False)
    chunked_sum(lambda part: residuals(part).square().sum(), points, list(net.parameters()), 8).backward()
    assert net[0].weight.grad is None and net[2].weight.grad.abs().sum() > 0


def saved_bytes(act) -> int:
    """The largest number of bytes that a graph holds at one time."""
    alive: dict[int, int] = {}
    most = 0

    class Held:
        def __init__(self, tensor):
            nonlocal most
            self.tensor, self.key = tensor, id(self)
            alive[self.key] = tensor.untyped_storage().nbytes()
            most = max(most, sum(alive.values()))

        def __del__(self):
            alive.pop(self.key, None)

    with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.tensor):
        act()
    return most


def test_a_chunk_stays_within_the_memory():
    net, residuals, points = burgers()
    many, parameters = points.repeat(40, 1), list(net.parameters())

    def sum_of(part):
        return residuals(part).square().sum()

    chunk = chunk_within(400_000, sum_of, many)
    assert 10 < chunk < 1000
    assert saved_bytes(lambda: chunked_sum(sum_of, many, parameters, chunk)) <= 400_000
    assert saved_bytes(lambda: torch.autograd.grad(sum_of(many), parameters, allow_unused=True)) > 1_000_000


def test_no_points_a_chunk_is_refused():
    with pytest.raises(InputError, match="1 point or more, got 0"):
        chunked_sum(lambda x: x.sum(), torch.rand(3, 1), [], 0)
