"""Jacobians of any per-example function against one gradient a row."""

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from zoo.derivatives import JetSpace, jet_of, per_example_jacobian, residual_jacobian
from zoo.errors import InputError


def classifier() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 16, 4)]
    net = nn.Sequential(*layers).double()
    net(torch.randn(8, 1, 6, 6, dtype=torch.float64))  # statistics that are not the initial ones
    return net.eval()


def test_losses_of_a_classifier_in_eval_mode():
    net, images, labels = classifier(), torch.randn(5, 1, 6, 6, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 1])

    def loss(named, example):
        image, label = example
        return cross_entropy(functional_call(net, named, (image[None],)), label[None])

    values, jacobian = per_example_jacobian(loss, dict(net.named_parameters()), (images, labels), chunk=2)
    losses = cross_entropy(net(images), labels, reduction="none")
    torch.testing.assert_close(values[:, 0], losses.detach())
    for row, one in zip(jacobian, losses, strict=True):
        gradient = torch.autograd.grad(one, list(net.parameters()), retain_graph=True)
        torch.testing.assert_close(row, torch.cat([g.flatten() for g in gradient]), rtol=1e-10, atol=1e-12)


def test_several_numbers_an_example_and_the_same_as_by_jets():
    torch.manual_seed(0)
    net, points = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 2)).double(), torch.rand(4, 2).double()
    space = JetSpace(("t", "x"), frozenset({"t", "xx"}))

    def rows(at):
        u = at(jet_of(points, space))
        return u["t"] + u[""] * u["x"] - u["xx"]

    def one(named, point):
        u = functional_call(net, named, (jet_of(point[None], space),))
        return (u["t"] + u[""] * u["x"] - u["xx"])[0]

    _, expected = residual_jacobian(lambda: rows(net), list(net.parameters()))
    values, jacobian = per_example_jacobian(one, dict(net.named_parameters()), points)
    torch.testing.assert_close(values, rows(net).detach())
    torch.testing.assert_close(jacobian, expected, rtol=1e-11, atol=1e-12)


def test_a_matrix_an_example_is_refused():
    with pytest.raises(InputError, match=r"a number or \[K\]"):
        per_example_jacobian(lambda p, x: p["w"] * x, {"w": torch.ones(2, 2)}, torch.rand(3, 2, 2))
