"""Residual networks for small images. He et al. (2016), section 4.2."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from tasks.vision.networks.images import checked
from zoo.nn.norms import batch_norm, has_no_effect


class Shortcut(nn.Module):
    """Option A of the paper: every second pixel, new channels filled with zeros; no parameters."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.stride, self.added = stride, out_channels - in_channels

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """[N, in, H, W] -> [N, out, H / stride, W / stride]."""
        if self.stride > 1:
            x_NCHW = x_NCHW[:, :, :: self.stride, :: self.stride]
        return nn.functional.pad(x_NCHW, (0, 0, 0, 0, 0, self.added)) if self.added else x_NCHW


class ResidualBlock(nn.Module):
    """f(x) + shortcut(x), f = conv norm activation conv norm, activation after the sum."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        activation: Callable[[], nn.Module],
        norm: Callable[[int], nn.Module],
    ):
        super().__init__()
        self.norm1, self.norm2 = norm(out_channels), norm(out_channels)
        bias = has_no_effect(self.norm1)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=bias)
        self.act1 = activation()
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=bias)
        self.shortcut = Shortcut(in_channels, out_channels, stride)
        self.act2 = activation()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """[N, in, H, W] -> [N, out, H / stride, W / stride]."""
        inner = self.act1(self.norm1(self.conv1(x_NCHW)))
        return self.act2(self.norm2(self.conv2(inner)) + self.shortcut(x_NCHW))


class ResNet(nn.Module):
    """CIFAR-style residual network of depth 6 n + 2 (2 + 2 x all blocks); ResNet-20 has 0.27 M parameters.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        blocks: residual blocks a stage; a stage halves the image and doubles the channels. (3, 3, 3) is ResNet-20.
        width: channels of the first stage.
        activation: makes the activation function.
        norm: makes the normalisation of a number of channels.
        dropout: probability before the last layer.
        pool: side of the grid of means that the last layer sees; 1 forgets positions, as in the paper.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        blocks: Sequence[int] = (3, 3, 3),
        width: int = 16,
        activation: Callable[[], nn.Module] = nn.ReLU,
        norm: Callable[[int], nn.Module] = batch_norm,
        dropout: float = 0.0,
        pool: int = 1,
    ):
        super().__init__()
        self.in_channels = in_channels
        self.stem_norm = norm(width)
        self.stem = nn.Conv2d(in_channels, width, 3, padding=1, bias=has_no_effect(self.stem_norm))
        self.stem_act = activation()
        self.stages = nn.Sequential()
        channels = width
        for i, count in enumerate(blocks):
            stage = nn.Sequential()
            for j in range(count):
                stride = 2 if i > 0 and j == 0 else 1
                stage.append(ResidualBlock(channels, width * 2**i, stride, activation, norm))
                channels = width * 2**i
            self.stages.append(stage)
        self.pool = nn.AdaptiveAvgPool2d(pool)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels * pool**2, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Images -> logits [N, num_classes]."""
        x = self.stem_act(self.stem_norm(self.stem(checked(images_NCHW, self.in_channels))))
        return self.classifier(self.dropout(self.pool(self.stages(x)).flatten(1)))
