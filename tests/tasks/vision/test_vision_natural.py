"""Natural gradients of a classifier: its Fisher information in closed form, steps as long as asked, and learning."""

from functools import partial

import pytest
import torch
from torch import nn

from tasks.vision.losses import softmax_kl
from tasks.vision.task import ImageClassification
from tests.conftest import readings_of
from zoo.data import TensorLoader
from zoo.optim import NaturalGradient
from zoo.optim.fisher import fisher_products


def stripes(count: int = 256) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy 6 x 6 images with a bright row; its number, 0 to 2, is the class."""
    generator = torch.Generator().manual_seed(3)
    images_NCHW = torch.randn(count, 1, 6, 6, generator=generator)
    labels_N = torch.randint(3, (count,), generator=generator)
    images_NCHW[torch.arange(count), 0, labels_N] += 1.0
    return images_NCHW, labels_N


def convolutional() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Dropout(0.1), nn.Flatten(), nn.Linear(64, 3)
    )


def test_products_are_those_of_the_softmaxs_fisher_information():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False))
    images_NCHW, labels_N = torch.randn(20, 1, 2, 2), torch.randint(3, (20,))
    task = ImageClassification(net, partial(torch.optim.SGD, lr=0.1))
    vector_P = torch.randn(12)
    found_P = fisher_products(task.divergence(net, (images_NCHW, labels_N)), list(net.parameters()))(vector_P)
    x_ND, p_NC = images_NCHW.flatten(1), net(images_NCHW).detach().softmax(1)
    inner_NCC = torch.diag_embed(p_NC) - p_NC[:, :, None] * p_NC[:, None, :]
    dense_PP = torch.einsum("ncd,ni,nj->cidj", inner_NCC, x_ND, x_ND).reshape(12, 12) / 20
    torch.testing.assert_close(found_P, dense_PP @ vector_P, rtol=1e-4, atol=1e-6)


def test_divergence_of_two_classes_by_hand():
    before, after = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 3.0]]).log1p()  # 1/2, 1/2 -> 1/5, 4/5
    assert float(softmax_kl(before, after)) == pytest.approx(0.5 * torch.tensor([2.5, 0.625]).log().sum().item())


def test_a_classifier_learns_by_steps_of_the_divergence_asked_for(quick):
    """The divergence starts at zero beneath dropout and batch norm, and moves no running mean."""
    task = ImageClassification(convolutional(), partial(NaturalGradient, kl=0.05, damping=1e-3))
    loader = TensorLoader(stripes(), 128, shuffle=True, seed=2)
    before = {name: buffer.clone() for name, buffer in task.net.named_buffers()}
    divergence = task.divergence(task.net, stripes())
    assert float(divergence().detach()) == pytest.approx(0.0, abs=1e-7)
    assert all(torch.equal(buffer, before[name]) for name, buffer in task.net.named_buffers())
    quick(max_epochs=8).fit(task, loader)
    steps = [value for _, name, _, value in readings_of(task.monitor.record) if name == "step_kl"]
    assert len(steps) == 16 and min(steps) > 0.02 and max(steps) < 0.12
    images_NCHW, labels_N = stripes()
    with torch.no_grad():
        accuracy = task.evaluate(task.net.eval(), (images_NCHW, labels_N))["accuracy"].mean()
    assert float(accuracy) > 0.95
