"""DenseNet-BC. Huang et al. (2017): bottleneck layers and compression; L = 100, k = 12 has 0.77 M parameters."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tasks.vision.networks.images import checked
from zoo.errors import InputError
from zoo.nn.norms import batch_norm


class DenseLayer(nn.Module):
    """norm act conv1x1 (to 4 k channels) norm act conv3x3 (to k), whose output is appended to the input."""

    def __init__(self, channels: int, growth: int, activation: Callable, norm: Callable):
        super().__init__()
        self.norm1, self.act1 = norm(channels), activation()
        self.conv1 = nn.Conv2d(channels, 4 * growth, 1, bias=False)
        self.norm2, self.act2 = norm(4 * growth), activation()
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C + k, H, W]."""
        new = self.conv2(self.act2(self.norm2(self.conv1(self.act1(self.norm1(x_NCHW))))))
        return torch.cat([x_NCHW, new], 1)


class DenseNet(nn.Module):
    """Three dense blocks with transitions that halve the image and the channels.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        depth: layers with weights; depth - 4 is divisible by 6.
        growth: channels that a layer adds (k).
        activation: makes the activation function.
        norm: makes the normalisation of a number of channels.

    Raises:
        InputError: a depth that does not fit.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        depth: int = 100,
        growth: int = 12,
        activation: Callable[[], nn.Module] = nn.ReLU,
        norm: Callable[[int], nn.Module] = batch_norm,
    ):
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise InputError(
                f"DenseNet.depth: expected 6 n + 4 (10, 16, 22, 40, 100 ...), got {depth}; mend the recipe"
            )
        self.in_channels = in_channels
        channels = 2 * growth
        self.features = nn.Sequential(nn.Conv2d(in_channels, channels, 3, padding=1, bias=False))
        for block in range(3):
            for _ in range((depth - 4) // 6):
                self.features.append(DenseLayer(channels, growth, activation, norm))
                channels += growth
            if block < 2:
                halve = nn.Conv2d(channels, channels // 2, 1, bias=False)
                self.features.extend([norm(channels), activation(), halve, nn.AvgPool2d(2)])
                channels //= 2
        self.features.extend([norm(channels), activation(), nn.AdaptiveAvgPool2d(1)])
        self.classifier = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Images -> logits [N, num_classes]."""
        return self.classifier(self.features(checked(images_NCHW, self.in_channels, 4)).flatten(1))
