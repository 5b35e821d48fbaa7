"""A residual network with non-local blocks. Wang et al. (2018): every position looks at every other one."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from tasks.vision.networks.images import checked
from tasks.vision.networks.resnet import ResNet
from zoo.nn.norms import batch_norm


class NonLocalBlock(nn.Module):
    """x + W_z softmax(theta(x)^T phi(x)) g(x), embedded Gaussian form; W_z starts at 0, so that it starts as x.

    Legend: P = H W positions, E = channels / 2 embedding.
    """

    def __init__(self, channels: int):
        super().__init__()
        inner = max(1, channels // 2)
        self.theta, self.phi, self.g = (nn.Conv2d(channels, inner, 1) for _ in range(3))
        self.out = nn.Conv2d(inner, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        query_NPE, key_NPE, value_NPE = (f(x_NCHW).flatten(2).mT for f in (self.theta, self.phi, self.g))
        # The paper does not divide by sqrt(E): scale 1.
        mixed_NPE = nn.functional.scaled_dot_product_attention(query_NPE, key_NPE, value_NPE, scale=1.0)
        return x_NCHW + self.out(mixed_NPE.mT.unflatten(2, x_NCHW.shape[2:]))


class NonLocalResNet(nn.Module):
    """`ResNet` with one non-local block behind its second and one behind its third stage.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        blocks: residual blocks a stage.
        width: channels of the first stage.
        activation: makes the activation function.
        norm: makes the normalisation of a number of channels.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        blocks: Sequence[int] = (3, 3, 3),
        width: int = 16,
        activation: Callable[[], nn.Module] = nn.ReLU,
        norm: Callable[[int], nn.Module] = batch_norm,
    ):
        super().__init__()
        self.in_channels = in_channels
        self.resnet = ResNet(num_classes, in_channels, blocks, width, activation, norm)
        for i in range(1, len(blocks)):
            self.resnet.stages[i].append(NonLocalBlock(width * 2**i))

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Images -> logits [N, num_classes]."""
        return self.resnet(checked(images_NCHW, self.in_channels))
