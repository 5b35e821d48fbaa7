"""Noise from shares against noise from whole gradients; the noise scale against its closed form; outliers planted."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from zoo.errors import InputError
from zoo.probes import example_gradient_norms, noise_of_examples, noise_of_shares, outlier_scores, outliers, whole_norms
from zoo.probes.batch_gradients import GradientNoise, gradient_noise, pooled
from zoo.probes.local_gradients import LocalGradients


def test_shares_say_what_the_gradients_themselves_say():
    gradients_KP, weights_K = torch.randn(5, 7, dtype=torch.float64) + 1, torch.rand(5, dtype=torch.float64)
    for weights in (torch.full((5,), 0.2, dtype=torch.float64), weights_K / weights_K.sum()):
        shares_KP = weights[:, None] * gradients_KP
        found = noise_of_shares(shares_KP.square().sum(), shares_KP.sum(0).square().sum(), 5)
        expected = gradient_noise(gradients_KP, weights)
        assert found.noise.item() == pytest.approx(expected.noise.item(), rel=1e-12)
        assert found.signal.item() == pytest.approx(expected.signal.item(), rel=1e-12)
    with pytest.raises(InputError, match="two micro-batches"):
        noise_of_shares(torch.tensor(1.0), torch.tensor(1.0), 1)


def test_the_noise_scale_of_a_quadratic_is_that_of_its_closed_form():
    """L_n = |w - x_n|^2 / 2: gradients w - x_n, |G|^2 = |w - mean|^2, tr Cov = sum of the variances."""
    w, spread, dimensions, batch = nn.Parameter(torch.full((4,), 0.3)), 2.0, 4, 16
    found: list[GradientNoise] = []
    for _ in range(2000):
        x_BD = spread * torch.randn(batch, dimensions)
        gradients = (w - x_BD).detach()
        found.append(noise_of_shares((gradients / batch).square().sum(), gradients.mean(0).square().sum(), batch))
    mean = pooled(found)
    assert mean.signal.item() == pytest.approx(4 * 0.3**2, rel=0.1)
    assert mean.noise.item() == pytest.approx(dimensions * spread**2 / batch, rel=0.02)
    in_examples = batch * mean.noise_scale.item()
    assert in_examples == pytest.approx(dimensions * spread**2 / (4 * 0.3**2), rel=0.1)


def test_noise_of_examples_is_that_of_their_gradients():
    net, x, y = (
        nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double(),
        torch.randn(9, 3).double(),
        torch.randint(0, 2, (9,)),
    )

    def losses():
        return functional.cross_entropy(net(x), y, reduction="none")

    found = noise_of_examples(*example_gradient_norms(net, losses))
    rows = [torch.autograd.grad(one, list(net.parameters()), retain_graph=True) for one in losses()]
    for index, name in enumerate(dict(net.named_parameters())):
        expected = gradient_noise(torch.stack([row[index].flatten() for row in rows]))
        assert found[name].noise.item() == pytest.approx(expected.noise.item(), rel=1e-10)
        assert found[name].signal.item() == pytest.approx(expected.signal.item(), rel=1e-10)
    whole = gradient_noise(torch.stack([torch.cat([g.flatten() for g in row]) for row in rows]))
    assert found[""].ratio.item() == pytest.approx(whole.ratio.item(), rel=1e-10)


def test_backwards_are_told_apart_sparse_ones_too():
    table, layer = nn.Embedding(5, 2, sparse=True), nn.Linear(2, 1)
    parameters = {"table": table.weight, "weight": layer.weight}
    local, expected = LocalGradients(parameters), 0.0
    for tokens in (torch.tensor([1, 1, 4]), torch.tensor([2, 1, 0])):
        local.paused = True  # this one is not the loss's own
        plain = torch.autograd.grad(layer(nn.functional.embedding(tokens, table.weight)).sum(), table.weight)[0]
        local.paused = False
        expected += plain.square().sum().item()
        layer(table(tokens)).sum().backward()
    assert local.squares["table"].item() == pytest.approx(expected, rel=1e-6)
    local.remove()
    assert not table.weight._backward_hooks


def digits_with_wrong_labels(seed: int) -> tuple[torch.Tensor, torch.Tensor, set[int]]:
    """600 images, 30 of them with another label than their own."""
    torch.manual_seed(seed)
    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(images))[:600]
    x, y = torch.tensor(images / 16, dtype=torch.float32)[order], torch.tensor(labels)[order]
    wrong = torch.randperm(600)[:30]
    y[wrong] = (y[wrong] + torch.randint(1, 10, (30,))) % 10
    return x, y, set(wrong.tolist())


@pytest.mark.parametrize("seed", [10, 11, 12])
def test_wrong_labels_stand_out(seed):
    x, y, wrong = digits_with_wrong_labels(seed)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    total = torch.zeros(600)
    for _ in range(12):
        for chosen in torch.randperm(600).split(50):
            optimizer.zero_grad()
            functional.cross_entropy(net(x[chosen]), y[chosen]).backward()
            optimizer.step()
        norms, _ = example_gradient_norms(net, lambda: functional.cross_entropy(net(x), y, reduction="none"))
        whole = whole_norms(norms)
        total += whole / whole.quantile(0.5)
    largest = set(total.argsort(descending=True)[:30].tolist())
    assert len(largest & wrong) >= 24
    named = {example for example, _ in outliers(total)}
    assert len(named & wrong) >= 15 and len(named & wrong) >= 0.6 * len(named)


def test_scores_are_interquartile_ranges_above_the_third_quartile():
    norms = torch.tensor([2.0, 14.0, 1.0, 3.0, 4.0])
    assert outlier_scores(norms).tolist() == [-1.0, 5.0, -1.5, -0.5, 0.0]
    assert outliers(norms) == [(1, 5.0)] and outliers(norms, threshold=5.0) == []


@pytest.mark.parametrize("norms", [torch.ones(3), torch.tensor([1.0, 2.0, 3.0, float("nan")]), torch.ones(2, 4)])
def test_norms_that_say_nothing_are_refused(norms):
    with pytest.raises(InputError, match="outliers"):
        outliers(norms)
