"""SqueezeNet. Iandola et al. (2016), the 1.1 layout: 1.2 M parameters with 1000 classes."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tasks.vision.networks.images import checked


class Fire(nn.Module):
    """A 1x1 squeeze, then 1x1 and 3x3 expansions side by side."""

    def __init__(self, channels: int, squeezed: int, expanded: int, activation: Callable[[], nn.Module]):
        super().__init__()
        self.squeeze, self.act = nn.Conv2d(channels, squeezed, 1), activation()
        self.expand1, self.act1 = nn.Conv2d(squeezed, expanded, 1), activation()
        self.expand3, self.act3 = nn.Conv2d(squeezed, expanded, 3, padding=1), activation()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """[N, channels, H, W] -> [N, 2 expanded, H, W]."""
        x = self.act(self.squeeze(x_NCHW))
        return torch.cat([self.act1(self.expand1(x)), self.act3(self.expand3(x))], 1)


class SqueezeNet(nn.Module):
    """Eight fire modules; [N, in_channels, H, W] -> [N, num_classes].

    The paper's ReLU on the logits is left out: it can kill a class.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        small_images: keep the resolution in the stem, for images of 8 to 64 pixels.
        activation: makes the activation function.
        dropout: probability before the last convolution.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        small_images: bool = True,
        activation: Callable[[], nn.Module] = nn.ReLU,
        dropout: float = 0.5,
    ):
        super().__init__()
        self.in_channels = in_channels
        stem = nn.Conv2d(in_channels, 64, 3, stride=1 if small_images else 2, padding=1 if small_images else 0)

        def pool() -> nn.Module:
            return nn.MaxPool2d(3, 2, ceil_mode=True)

        self.features = nn.Sequential(
            stem,
            activation(),
            nn.Identity() if small_images else pool(),
            Fire(64, 16, 64, activation),
            Fire(128, 16, 64, activation),
            pool(),
            Fire(128, 32, 128, activation),
            Fire(256, 32, 128, activation),
            pool(),
            Fire(256, 48, 192, activation),
            Fire(384, 48, 192, activation),
            Fire(384, 64, 256, activation),
            Fire(512, 64, 256, activation),
        )
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Conv2d(512, num_classes, 1), nn.AdaptiveAvgPool2d(1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                last = module is self.classifier[1]
                nn.init.normal_(module.weight, std=0.01) if last else nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Images -> logits [N, num_classes]."""
        return self.classifier(self.features(checked(images_NCHW, self.in_channels, 8))).flatten(1)
