"""LeNet-5. LeCun et al. (1998), with max pooling and any activation."""

from collections.abc import Callable

from torch import Tensor, nn

from tasks.vision.networks.images import checked


class LeNet5(nn.Module):
    """Two convolutions, two poolings, three linear layers; [N, in_channels, H, W] -> [N, num_classes].

    Args:
        num_classes: outputs.
        in_channels: 1 for grey images.
        image_size: height and width; 32 in the paper, 28 is padded to it, 8 keeps its positions.
        activation: makes the activation function; tanh in the paper.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        image_size: int = 28,
        activation: Callable[[], nn.Module] = nn.Tanh,
    ):
        super().__init__()
        self.in_channels = in_channels
        small = image_size < 20  # two unpadded 5x5 convolutions would leave nothing
        pads = (2, 2) if small else ((32 - image_size) // 2 if image_size < 32 else 0, 0)
        side = image_size + 2 * pads[0] - 4
        side = (side // 2 + 2 * pads[1] - 4) // 2
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, 5, padding=pads[0]),
            activation(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5, padding=pads[1]),
            activation(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * side * side, 120),
            activation(),
            nn.Linear(120, 84),
            activation(),
            nn.Linear(84, num_classes),
        )

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Images -> logits [N, num_classes]."""
        return self.classifier(self.features(checked(images_NCHW, self.in_channels, 8)))
