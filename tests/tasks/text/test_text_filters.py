"""The largest answers of the filters and their derivatives against plain convolution, masking and maximum."""

import pytest
import torch
from torch import nn
from torch.nn.functional import conv1d

from tasks.text.networks import SentenceCNN
from tasks.text.networks.filters import RegionFilters

LENGTHS = torch.tensor([1, 7, 4, 2])


def vectors() -> torch.Tensor:
    inside = torch.arange(7) < LENGTHS[:, None]
    return (torch.randn(4, 7, 5, dtype=torch.float64) * inside[..., None]).requires_grad_()


def plain(vectors_BTE, filters):
    """max over the first (length + h - 1) windows, by autograd through every window."""
    h = filters.kernel_size[0]
    maps = conv1d(vectors_BTE.transpose(1, 2), filters.weight, filters.bias, padding=h - 1)
    return torch.stack([maps[i, :, : int(length) + h - 1].amax(1) for i, length in enumerate(LENGTHS)])


@pytest.mark.parametrize("h", [1, 2, 3, 9])
def test_values_and_derivatives_equal_those_of_every_window(h):
    filters, x = RegionFilters(5, 6, h).double(), vectors()
    mixed = torch.randn(4, 6, dtype=torch.float64)
    wanted = (x, filters.weight, filters.bias)
    found, expected = filters(x, LENGTHS), plain(x, filters)
    assert torch.allclose(found, expected, rtol=0, atol=1e-13)
    theirs = torch.autograd.grad((expected * mixed).sum(), wanted)
    for again in (True, False):  # whether the derivative is to be derived again
        ours = torch.autograd.grad((found * mixed).sum(), wanted, retain_graph=True, create_graph=again)
        for one, other in zip(ours, theirs, strict=True):
            assert torch.allclose(one, other, rtol=0, atol=1e-12)


def test_derivatives_equal_finite_differences_twice():
    filters, x = RegionFilters(5, 3, 2).double(), vectors()
    present = (torch.arange(7) < LENGTHS[:, None])[..., None]

    def answers(x, weight):
        filters.weight.data.copy_(weight.detach())
        return torch.func.functional_call(filters, {"weight": weight}, (x * present, LENGTHS))

    weight = filters.weight.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(answers, (x, weight), atol=1e-8)
    assert torch.autograd.gradgradcheck(answers, (x, weight), atol=1e-8)


def test_of_equal_windows_the_first_gets_the_derivative():
    filters = RegionFilters(1, 1, 1)
    x = torch.ones(1, 3, 1, requires_grad=True)
    filters(x, torch.tensor([3])).sum().backward()
    weight = filters.weight.item()
    assert x.grad.flatten().tolist() == [weight, 0, 0]


def test_vectors_that_are_held_cost_no_derivative():
    filters, x = RegionFilters(5, 6, 3).double(), vectors().detach()
    filters(x, LENGTHS).sum().backward()
    (expected,) = torch.autograd.grad(plain(x, filters).sum(), filters.weight)
    assert torch.allclose(filters.weight.grad, expected, atol=1e-12)


def test_function_transforms_see_through_the_net():
    net = SentenceCNN(9, 2, 4, feature_maps=3).double().eval()
    tokens = torch.tensor([[2, 3, 4, 5], [6, 0, 0, 0]])
    x, present = net.embed(tokens).detach(), tokens != 0
    one_by_one = torch.stack([_gradient(net, x[i : i + 1], present[i : i + 1])[0] for i in range(2)])

    def score(x_TE, present_T):
        return net.classify(x_TE[None], present_T[None])[0, 0]

    assert torch.allclose(torch.func.vmap(torch.func.grad(score))(x, present), one_by_one, atol=1e-12)


def _gradient(net, x, present):
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(net.classify(leaf, present)[:, 0].sum(), leaf)[0]


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Identity, nn.GELU, lambda: nn.LeakyReLU(-0.5)])
def test_the_net_is_the_same_whether_its_activation_comes_before_or_behind_the_maximum(activation):
    net = SentenceCNN(9, 2, 4, region_sizes=(1, 3), feature_maps=5, activation=activation).double().eval()
    tokens = torch.tensor([[2, 3, 4, 5], [6, 7, 0, 0]])
    x = net.embed(tokens)
    pooled = torch.cat([net.pooling(*maps) for maps in net.maps(x, tokens != 0)], 1)
    assert torch.allclose(net.pooled(x, tokens != 0), pooled, atol=1e-13)
