"""Sets that a script of `data_scripts/` has fetched and converted."""

from pathlib import Path
from typing import Any

from tasks.vision.augmentations import Augmentation
from tasks.vision.data.image_data import ImageData, Split
from zoo.data.stored import read_stored
from zoo.errors import InputError


class StoredImages(ImageData):
    """A set that `data_scripts/<name>.py` has written to `root/<name>/images.pt`.

    Args:
        name: of the set, such as fashion_mnist.
        root: folder of all sets.
        limit: use only the first so many training examples; None for all.
        batch_size, validation, augmentations, seed: see `ImageData`.
    """

    def __init__(
        self,
        name: str,
        root: str = "data",
        limit: int | None = None,
        batch_size: int = 128,
        validation: float = 0.1,
        augmentations: list[Augmentation] | None = None,
        seed: int | None = None,
    ):
        super().__init__(batch_size, validation, augmentations, seed)
        if limit is not None and limit < 1:
            raise InputError(f"data.limit: expected 1 or more, got {limit}; leave it out to use all examples")
        self.name, self.root, self.limit = name, Path(root), limit

    def load(self) -> tuple[Split, Split]:
        """See `ImageData.load`."""
        path, script = self.root / self.name / "images.pt", f"data_scripts/{self.name}.py"
        stored = read_stored(path, script)
        try:
            self.class_names = list(stored["class_names"])
            train, test = (Split(stored[f"{part}_images"], stored[f"{part}_labels"]) for part in ("train", "test"))
        except KeyError as error:
            raise InputError(f"data: expected what {script} wrote, got no {error} in {path}; run it again") from error
        return train.part(0, self.limit or len(train.labels)), test


class FashionMNIST(StoredImages):
    """Clothes in 28x28 grey, 60,000 + 10,000, 10 classes; `python data_scripts/fashion_mnist.py` fetches them."""

    def __init__(self, root: str = "data", limit: int | None = None, **kwargs: Any):
        super().__init__("fashion_mnist", root, limit, **kwargs)


class MNIST(StoredImages):
    """Handwritten digits in 28x28 grey, 60,000 + 10,000; `python data_scripts/mnist.py` fetches them."""

    def __init__(self, root: str = "data", limit: int | None = None, **kwargs: Any):
        super().__init__("mnist", root, limit, **kwargs)


class CIFAR10(StoredImages):
    """Photographs in 32x32 colour, 50,000 + 10,000, 10 classes; `python data_scripts/cifar10.py` fetches them."""

    def __init__(self, root: str = "data", limit: int | None = None, **kwargs: Any):
        super().__init__("cifar10", root, limit, **kwargs)


class CIFAR100(StoredImages):
    """Photographs in 32x32 colour, 50,000 + 10,000, 100 classes; `python data_scripts/cifar100.py` fetches them."""

    def __init__(self, root: str = "data", limit: int | None = None, **kwargs: Any):
        super().__init__("cifar100", root, limit, **kwargs)
