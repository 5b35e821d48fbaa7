"""A deep convolutional network without shortcuts: the one whose gradient vanishes."""

from collections.abc import Callable

from torch import Tensor, nn

from tasks.vision.networks.images import checked
from zoo.nn.norms import has_no_effect, no_norm


class PlainCNN(nn.Module):
    """`depth` convolutions 3x3 in three stages, each of which halves the image, then a linear layer on the mean.

    With depth 20 or more, a sigmoid and no norm it shows a vanishing gradient; with ReLU and batch norm it is He's
    plain net.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        depth: number of convolutions.
        width: channels of the first stage; the later ones have 2 and 4 times as many.
        activation: makes the activation function.
        norm: makes the normalisation of a number of channels.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        depth: int = 20,
        width: int = 16,
        activation: Callable[[], nn.Module] = nn.ReLU,
        norm: Callable[[int], nn.Module] = no_norm,
    ):
        super().__init__()
        self.in_channels = in_channels
        layers, channels = [], in_channels
        for i in range(depth):
            stage = 3 * i // depth
            begins = i > 0 and stage != 3 * (i - 1) // depth
            normaliser = norm(width * 2**stage)
            layers += [
                nn.Conv2d(
                    channels,
                    width * 2**stage,
                    3,
                    stride=2 if begins else 1,
                    padding=1,
                    bias=has_no_effect(normaliser),
                ),
                normaliser,
                activation(),
            ]
            channels = width * 2**stage
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Images -> logits [N, num_classes]."""
        features = self.features(checked(images_NCHW, self.in_channels))
        return self.classifier(self.pool(features).flatten(1))
