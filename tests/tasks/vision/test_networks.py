"""Every image network: its size, its shapes, its injections, and that it exports."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.func import functional_call

from tasks.vision.networks import DenseNet, LeNet5, NonLocalBlock, NonLocalResNet, PlainCNN, ResNet, SqueezeNet
from zoo.errors import InputError
from zoo.nn import group_norm, layer_norm, no_norm, rms_norm

SMALL = {
    "LeNet5": lambda **k: LeNet5(image_size=k.pop("side", 28), **k),
    "PlainCNN": lambda side=28, **k: PlainCNN(depth=6, width=4, **k),
    "ResNet": lambda side=28, **k: ResNet(in_channels=1, blocks=(1, 1), width=8, **k),
    "DenseNet": lambda side=28, **k: DenseNet(in_channels=1, depth=16, growth=4, **k),
    "SqueezeNet": lambda side=28, **k: SqueezeNet(in_channels=1, **k),
    "NonLocalResNet": lambda side=28, **k: NonLocalResNet(in_channels=1, blocks=(1, 1), width=8, **k),
}


@pytest.mark.parametrize(
    ("net", "parameters"),
    [
        (ResNet(), 269_722),
        (DenseNet(), 769_162),
        (SqueezeNet(1000, small_images=False), 1_235_496),
        (LeNet5(image_size=32), 61_706),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, nn.Module) else "",
)
def test_sizes_are_those_of_the_papers(net, parameters):
    assert sum(p.numel() for p in net.parameters()) == parameters


@pytest.mark.parametrize("side", [8, 28, 32])
@pytest.mark.parametrize("name", SMALL)
def test_shapes(name, side):
    net = SMALL[name](side=side, num_classes=7)
    assert net(torch.randn(2, 1, side, side)).shape == (2, 7)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("shape", [(2, 3, 28, 28), (1, 28, 28), (2, 784)])
def test_wrong_images_are_one_line(name, shape):
    with pytest.raises(InputError, match=r"images: expected \[N, 1, H, W\]") as error:
        SMALL[name]()(torch.zeros(shape))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.PReLU, partial(nn.LeakyReLU, 0.2)])
@pytest.mark.parametrize("name", SMALL)
def test_any_activation(name, activation):
    net = SMALL[name](activation=activation)
    net(torch.randn(2, 1, 28, 28)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    assert name == "SqueezeNet" or any(type(m) is type(activation()) for m in net.modules())


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, layer_norm, group_norm, rms_norm, no_norm])
@pytest.mark.parametrize("name", ["PlainCNN", "ResNet", "DenseNet", "NonLocalResNet"])
def test_any_norm(name, norm):
    net = SMALL[name](norm=norm)
    net(torch.randn(2, 1, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    if norm is no_norm and name in ("ResNet", "PlainCNN"):  # without a norm a convolution has its bias back
        assert all(m.bias is not None for m in net.modules() if isinstance(m, nn.Conv2d))


@pytest.mark.parametrize("name", SMALL)
def test_functional_call_gives_the_same_numbers(name):
    net = SMALL[name]().eval().double()
    x = torch.randn(2, 1, 28, 28, dtype=torch.float64)
    assert torch.equal(functional_call(net, dict(net.named_parameters()), (x,)), net(x))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch.export's own deprecations are not ours
@pytest.mark.parametrize("name", SMALL)
def test_export_gives_the_same_numbers(name):
    net, x = SMALL[name]().eval(), torch.randn(2, 1, 28, 28)
    exported = torch.export.export(net, (x,)).module()
    assert torch.allclose(exported(x), net(x), atol=1e-6)


def test_a_residual_block_without_its_branch_is_its_shortcut():
    net = ResNet(in_channels=4, blocks=(1, 1), width=4)
    block = net.stages[1][0]
    nn.init.zeros_(block.norm2.weight)
    x = torch.rand(2, 4, 8, 8)
    out = block.eval()(x)
    assert torch.equal(out[:, :4], x[:, :, ::2, ::2]) and torch.equal(out[:, 4:], torch.zeros(2, 4, 4, 4))


def test_a_non_local_block_starts_as_identity_and_is_its_formula():
    block, x = NonLocalBlock(4).double(), torch.randn(2, 4, 3, 3, dtype=torch.float64)
    assert torch.equal(block(x), x)
    nn.init.normal_(block.out.weight)
    theta, phi, g = (f(x).flatten(2) for f in (block.theta, block.phi, block.g))
    attention = torch.einsum("nep,neq->npq", theta, phi).softmax(-1)
    expected = x + block.out(torch.einsum("npq,neq->nep", attention, g).unflatten(2, (3, 3)))
    assert torch.allclose(block(x), expected, atol=1e-12)


def test_a_deep_sigmoid_net_vanishes_and_a_residual_one_does_not():
    """The ratio of the first to the last convolution's gradient, over twenty layers."""
    torch.manual_seed(0)
    x, y = torch.randn(16, 1, 16, 16), torch.randint(0, 10, (16,))
    ratios = []
    for net in (PlainCNN(depth=20, width=8, activation=nn.Sigmoid), ResNet(in_channels=1, width=8)):
        nn.functional.cross_entropy(net(x), y).backward()
        convolutions = [m.weight.grad.norm().item() for m in net.modules() if isinstance(m, nn.Conv2d)]
        ratios.append(convolutions[0] / convolutions[-1])
    assert ratios[0] < 1e-4 < 1e-1 < ratios[1]


def test_depth_of_a_densenet_is_checked():
    with pytest.raises(InputError, match="6 n"):
        DenseNet(depth=50)


def test_only_squeezenets_last_convolution_starts_small():
    net = SqueezeNet(num_classes=64, in_channels=1)
    assert net.features[0].weight.std() > 0.1 and net.classifier[1].weight.std() < 0.011
