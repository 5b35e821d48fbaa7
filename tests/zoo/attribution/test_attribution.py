"""Every attribution against its closed form on a linear and on a quadratic score, in float64, and against captum."""

import numpy as np
import pytest
import torch
from torch import nn

from zoo.attribution import (
    against_random,
    completeness_gap,
    curve_area,
    deletion_curve,
    grad_cam,
    gradient,
    input_x_gradient,
    insertion_curve,
    integrated_gradients,
    occlusion,
    randomisation_check,
    rank_correlation,
    saliency,
    smoothgrad,
)
from zoo.errors import InputError

SIDE = 4
P = SIDE * SIDE


def quadratic(linear: bool):
    """f(x) = x'Ax/2 + b'x over images [N, 1, 4, 4]; A = 0 when linear."""
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(P, P, generator=generator, dtype=torch.float64)
    a = torch.zeros_like(a) if linear else (a + a.T) / 2
    b = torch.randn(P, generator=generator, dtype=torch.float64)

    def score(x):
        flat = x.flatten(1)
        return (flat @ a * flat).sum(1) / 2 + flat @ b

    return a, b, score


@pytest.fixture
def x():
    return torch.randn(3, 1, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def occlusion_by_hand(score, x, window, stride):
    """A loop over windows and positions."""
    total, counts = torch.zeros_like(x), torch.zeros_like(x)
    for i in range(0, SIDE - window + 1, stride):
        for j in range(0, SIDE - window + 1, stride):
            covered = x.clone()
            covered[:, :, i : i + window, j : j + window] = 0
            total[:, :, i : i + window, j : j + window] += (score(x) - score(covered)).view(-1, 1, 1, 1)
            counts[:, :, i : i + window, j : j + window] += 1
    return total / counts


def smooth_by_hand(a, b, x, noise_level, samples, seed):
    """The mean gradient is the gradient at the mean of the noisy inputs, for a quadratic score."""
    generator = torch.Generator().manual_seed(seed)
    sigma = noise_level * (x.flatten(1).amax(1) - x.flatten(1).amin(1)).view(-1, 1, 1, 1)
    mean = torch.zeros_like(x)
    for _ in range(samples):
        mean += (x + sigma * torch.randn(x.shape, generator=generator, dtype=x.dtype)) / samples
    return (mean.flatten(1) @ a + b).view(x.shape)


METHODS = {
    "saliency": (saliency, lambda a, b, f, x: (x.flatten(1) @ a + b).view(x.shape).abs()),
    "signed saliency": (
        lambda f, x: saliency(f, x, signed=True),
        lambda a, b, f, x: (x.flatten(1) @ a + b).view(x.shape),
    ),
    "input x gradient": (input_x_gradient, lambda a, b, f, x: x * (x.flatten(1) @ a + b).view(x.shape)),
    "smoothgrad": (
        lambda f, x: smoothgrad(f, x, 0.2, 7, signed=True, seed=5),
        lambda a, b, f, x: smooth_by_hand(a, b, x, 0.2, 7, 5),
    ),
    "integrated gradients": (
        lambda f, x: integrated_gradients(f, x, steps=5),
        lambda a, b, f, x: x * (x.flatten(1) @ a / 2 + b).view(x.shape),
    ),
    "integrated gradients, baseline": (
        lambda f, x: integrated_gradients(f, x, baseline=2.0, steps=5, rows=4),
        lambda a, b, f, x: (x - 2) * ((x.flatten(1) + 2) @ a / 2 + b).view(x.shape),
    ),
    "occlusion": (lambda f, x: occlusion(f, x, 2, 1, rows=5), lambda a, b, f, x: occlusion_by_hand(f, x, 2, 1)),
}


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("mode", ["plain", "no_grad", "inference_mode"])
def test_closed_forms(name, linear, mode, x):
    a, b, score = quadratic(linear)
    method, closed_form = METHODS[name]
    contexts = {"plain": torch.enable_grad, "no_grad": torch.no_grad, "inference_mode": torch.inference_mode}
    with contexts[mode]():
        found = method(score, x * 1)
    assert found.shape == x.shape and not found.requires_grad
    assert torch.allclose(found.clone(), closed_form(a, b, score, x), atol=1e-10, rtol=0)


class TwoMaps(nn.Module):
    """One 1x1 convolution to two maps, then a linear or quadratic score of their means."""

    def __init__(self, linear: bool):
        super().__init__()
        self.linear = linear
        self.conv = nn.Conv2d(1, 2, 1, bias=False).double()

    def forward(self, x):
        means = self.conv(x).mean((2, 3))
        weighted = means if self.linear else means.square() / 2
        return weighted @ torch.tensor([2.0, -1.0], dtype=torch.float64)


@pytest.mark.parametrize("linear", [True, False])
def test_grad_cam_closed_form(linear, x):
    net = TwoMaps(linear)
    found = grad_cam(net, x, net.conv, positive=False)
    maps = net.conv(x).detach()
    weights = torch.tensor([2.0, -1.0], dtype=torch.float64).expand(3, 2)
    weights = weights if linear else weights * maps.mean((2, 3))
    expected = (weights[:, :, None, None] / P * maps).sum(1, keepdim=True)
    assert torch.allclose(found, expected, atol=1e-10)
    assert torch.allclose(grad_cam(net, x, net.conv), expected.relu(), atol=1e-10)


def conv_net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 3, padding=1),
        nn.GELU(), nn.Flatten(), nn.Linear(64, 3),
    ).eval()  # fmt: skip


def test_captum_gives_the_same_numbers():
    captum = pytest.importorskip("captum.attr")
    net, x = conv_net(), torch.randn(5, 2, 8, 8)

    def score(images):
        return net(images)[:, 1]

    pairs = [
        (saliency(score, x), captum.Saliency(score).attribute(x.clone().requires_grad_())),
        (input_x_gradient(score, x), captum.InputXGradient(score).attribute(x.clone().requires_grad_())),
        (integrated_gradients(score, x, rows=13), captum.IntegratedGradients(score).attribute(x)),
        (occlusion(score, x, 3, 2), captum.Occlusion(score).attribute(x, (2, 3, 3), strides=(2, 2, 2))),
    ]
    for mine, theirs in pairs:
        assert torch.allclose(mine, theirs.detach(), atol=1e-6)


@pytest.mark.parametrize(
    "method",
    [saliency, input_x_gradient, smoothgrad, integrated_gradients, occlusion, lambda f, x: grad_cam(f, x, f.net[4])],
)
def test_reading_changes_nothing(method):
    class Score:
        net = conv_net()

        def __call__(self, images):
            return self.net(images)[:, 0]

    score, x = Score(), torch.randn(2, 2, 8, 8)
    score.net(x).sum().backward()
    before = {name: (p.clone(), p.grad.clone(), p.requires_grad) for name, p in score.net.named_parameters()}
    buffers = {name: b.clone() for name, b in score.net.named_buffers()}
    state, training, original = torch.get_rng_state(), score.net.training, x.clone()
    method(score, x)
    for name, p in score.net.named_parameters():
        assert torch.equal(p, before[name][0]) and torch.equal(p.grad, before[name][1]) and p.requires_grad
    assert all(torch.equal(b, buffers[name]) for name, b in score.net.named_buffers())
    assert torch.equal(torch.get_rng_state(), state) and score.net.training == training
    assert torch.equal(x, original) and not x.requires_grad and x.grad is None
    assert not any(m._forward_hooks or m._backward_hooks for m in score.net.modules())


def test_bad_scores_and_inputs_are_refused():
    x = torch.randn(2, 3)
    with pytest.raises(InputError, match=r"one number an example, \[2\], got \[2, 3\]"):
        saliency(lambda inputs: inputs, x)
    with pytest.raises(InputError, match="floating point"):
        saliency(lambda inputs: inputs.sum(1), torch.zeros(2, 3, dtype=torch.long))
    with pytest.raises(InputError, match="does not use"):
        gradient(lambda inputs: torch.zeros(2, requires_grad=True), x)
    with pytest.raises(InputError, match="baseline"):
        integrated_gradients(lambda inputs: inputs.sum(1), x, torch.zeros(5))
    with pytest.raises(InputError, match="window"):
        occlusion(lambda inputs: inputs.sum((1, 2, 3)), torch.zeros(1, 1, 2, 2), 3)
    with pytest.raises(InputError, match="layer"):
        grad_cam(lambda inputs: inputs.sum((1, 2, 3)), torch.zeros(1, 1, 2, 2), nn.Conv2d(1, 1, 1))


def test_integrated_gradients_add_up():
    net, x = conv_net().double(), torch.randn(4, 2, 8, 8, dtype=torch.float64)

    def score(images):
        return net(images)[:, 2]

    gaps = [completeness_gap(score, x, integrated_gradients(score, x, steps=s)).abs().max().item() for s in (8, 400)]
    assert gaps[1] < 2e-3 < score(x).abs().max().item()
    assert gaps[1] < gaps[0]


def test_the_true_order_of_a_linear_score_is_the_best_order():
    w = torch.tensor([5.0, -1.0, 3.0, 0.5])
    x = torch.ones(2, 4)

    def score(inputs):
        return inputs @ w

    best = input_x_gradient(score, x)
    deletion, insertion = deletion_curve(score, x, best, stages=4), insertion_curve(score, x, best, stages=4)
    assert deletion[:, 0].tolist() == [7.5, 2.5, -0.5, -1.0, 0.0]
    assert insertion[:, 0].tolist() == [0.0, 5.0, 8.0, 8.5, 7.5]
    assert curve_area(deletion)[0].item() == pytest.approx((3.75 + 2.5 - 0.5 - 1.0) / 4)
    compared = against_random(score, x, {"true": best, "wrong": -best}, stages=4, orders=40)
    assert min(compared["true"].better_than_random().values()) > 0.9
    assert max(compared["wrong"].better_than_random().values()) < 0.1


def test_shuffled_weights_change_the_map_and_leave_the_net():
    net, x = conv_net(), torch.randn(8, 2, 8, 8)
    before = {name: p.clone() for name, p in net.named_parameters()}
    found = randomisation_check(net, lambda one: saliency(lambda images: one(images)[:, 0], x))
    assert list(found) == ["7", "4", "0"]
    assert abs(found["0"]) < 0.5
    constant = randomisation_check(net, lambda one: x)  # an edge detector: it does not look at the net
    assert all(value == pytest.approx(1) for value in constant.values())
    assert all(torch.equal(p, before[name]) for name, p in net.named_parameters())


def test_rank_correlation_is_spearmans():
    from scipy.stats import spearmanr

    a, b = torch.randn(4, 20), torch.randn(4, 20)
    a[1:3], b[1] = a[1:3].relu(), b[1].relu()  # many ties, as in maps behind a ReLU
    expected = [spearmanr(x.numpy(), y.numpy()).statistic for x, y in zip(a, b, strict=True)]
    assert np.allclose(rank_correlation(a, b).numpy(), expected)
    assert rank_correlation(torch.ones(1, 5), torch.arange(5.0)[None]).tolist() == [0.0]


def test_a_score_that_says_nothing_is_chance():
    x = torch.randn(3, 8)
    compared = against_random(lambda inputs: torch.ones(len(inputs)), x, {"any": x}, orders=4)
    assert compared["any"].better_than_random() == {"deletion": 0.5, "insertion": 0.5}


def test_occlusion_of_rows_without_channels():
    w = torch.tensor([5.0, -1.0, 3.0])
    x = torch.tensor([[1.0, 2.0, 4.0], [0.0, 1.0, 1.0]])
    assert occlusion(lambda inputs: inputs @ w, x, 1, 1).tolist() == (x * w).tolist()
    tokens = torch.tensor([[3, 4, 5]])
    lost = occlusion(lambda ids: (ids == 4).double().sum(1), tokens, 1, 1, baseline=0)
    assert lost.tolist() == [[0.0, 1.0, 0.0]]


@pytest.mark.parametrize("method", [gradient, saliency, input_x_gradient, smoothgrad, integrated_gradients])
def test_no_graph_is_left_and_random_scores_leave_the_stream(method):
    x = torch.randn(2, 4, requires_grad=True)
    state = torch.get_rng_state()
    found = method(lambda inputs: (torch.nn.functional.dropout(inputs, 0.5) ** 2).sum(1), x)
    assert not found.requires_grad and x.grad is None
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda x, f: saliency(lambda inputs: f(inputs).detach(), x), "take no_grad, argmax, detach"),
        (lambda x, f: saliency(f, x[:0]), r"one example or more, got \[0, 4\]"),
        (lambda x, f: saliency(f, [1.0]), "got list"),
        (lambda x, f: integrated_gradients(f, x, rows=0), "rows >= 1"),
        (lambda x, f: completeness_gap(f, x, x[:, :2]), "inputs' shape"),
        (lambda x, f: deletion_curve(f, x, x[:, :2]), "inputs' shape"),
        (lambda x, f: against_random(f, x, {"a": x}, orders=0), "orders"),
        (lambda x, f: occlusion(f, x, (1, 1), 1), "one number or 1"),
    ],
)
def test_common_mistakes_are_one_line(call, line):
    with pytest.raises(InputError, match=line):
        call(torch.randn(2, 4), lambda inputs: (inputs**2).sum(1))


def test_positions_that_an_example_lacks_count_for_nothing():
    weight = torch.tensor([4.0, 3, 2, 1, 0, 0])
    short, long = torch.tensor([[[1.0, 2, 3]]]), torch.tensor([[[1.0, 2, 3, 9, 9, 9]]])

    def score(x):
        return (x[:, 0] * weight[: x.shape[2]]).sum(1).sqrt()

    held = score(torch.tensor([[[0.0, 0, 0, 9, 9, 9]]]))
    counted = torch.tensor([[True, True, True, False, False, False]])

    def inside(x):  # the score of the part that counts
        return score(x).square().sub(held.square()).sqrt()

    alone = against_random(score, short, {"a": short}, stages=3, orders=200)["a"]
    padded = against_random(inside, long, {"a": long}, stages=3, orders=200, counted=counted)["a"]
    torch.testing.assert_close(padded.deletion_N, alone.deletion_N)
    torch.testing.assert_close(padded.insertion_N, alone.insertion_N)
    torch.testing.assert_close(padded.random_deletion_RN.mean(), alone.random_deletion_RN.mean(), rtol=0.05, atol=0)
    with pytest.raises(InputError, match=r"faithfulness\.counted"):
        against_random(score, short, {"a": short}, counted=counted)
