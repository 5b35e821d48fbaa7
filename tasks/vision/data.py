"""Image data: LightningDataModules that keep whole sets in memory, checked before the first step.

A batch is (images_NCHW float32 normalised, labels_N int64). Mean and deviation are the training split's.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from tasks.vision.augmentations import Augmentation
from zoo.data import TensorLoader, check_images, check_labels, content_hash
from zoo.errors import InputError


@dataclass(frozen=True)
class Split:
    """Images [N, C, H, W], uint8 or float in 0..1, and their labels [N]."""

    images: Tensor
    labels: Tensor

    def part(self, start: int, stop: int) -> "Split":
        """Examples start .. stop - 1."""
        return Split(self.images[start:stop], self.labels[start:stop])


class ImageData(LightningDataModule, ABC):
    """Training, validation and test split in memory; a subclass says where they come from.

    Args:
        batch_size: examples a training batch.
        validation: share of the training examples, from their end, kept for validation; 0 validates on none.
        augmentations: applied to training batches in turn.
        seed: of the order of the training examples; by default the run's.
    """

    class_names: list[str]

    def __init__(
        self,
        batch_size: int = 128,
        validation: float = 0.1,
        augmentations: list[Augmentation] | None = None,
        seed: int | None = None,
    ):
        super().__init__()
        if not 0 <= validation < 1:
            raise InputError(f"data.validation: expected a share in [0, 1), got {validation}; 0.1 is usual")
        self.batch_size, self.validation = batch_size, validation
        self.augmentations, self.seed = augmentations or [], seed
        self.splits: dict[str, Split] = {}

    @abstractmethod
    def load(self) -> tuple[Split, Split]:
        """Training and test examples; sets `class_names`."""

    def setup(self, stage: str | None = None) -> None:
        """Load, split and check, once."""
        if self.splits:
            return
        train, test = self.load()
        kept = len(train.labels) - round(self.validation * len(train.labels))
        splits = {"train": train.part(0, kept), "test": test}
        if self.validation:
            splits["validation"] = train.part(kept, len(train.labels))
        for name, split in splits.items():
            check_images(split.images, name, tuple(train.images.shape[1:]))
            check_labels(split.labels, len(self.class_names), name, len(split.images))
        pixels = as_floats(splits["train"].images)
        self.mean, self.std = pixels.mean((0, 2, 3)), pixels.std((0, 2, 3)).clamp(min=1e-6)
        self.splits = splits

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    def data_hash(self) -> str:
        """Identity of all examples, order included."""
        self.setup()
        return content_hash(*(tensor for s in self.splits.values() for tensor in (s.images, s.labels)))

    def normalised(self, images_NCHW: Tensor) -> Tensor:
        """Pixels as a net takes them: (x - mean) / std a channel."""
        return (images_NCHW - self.mean[:, None, None]) / self.std[:, None, None]

    def pixels(self, images_NCHW: Tensor) -> Tensor:
        """The inverse of `normalised`, in 0..1, for pictures."""
        return (images_NCHW * self.std[:, None, None] + self.mean[:, None, None]).clamp(0, 1)

    def _training_batch(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        images, labels = as_floats(batch[0]), batch[1]
        for augmentation in self.augmentations:
            images, labels = augmentation(images, labels)
        return self.normalised(images), labels

    def _plain_batch(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return self.normalised(as_floats(batch[0])), batch[1]

    def loader(self, split: str) -> TensorLoader:
        """Batches of a split ("train", "validation", "test") in its own order, not augmented.

        Raises:
            InputError: there is no such split.
        """
        self.setup()
        if split not in self.splits:
            raise InputError(f"split: expected one of {', '.join(self.splits)}, got {split!r}; mend the command")
        s = self.splits[split]
        return TensorLoader((s.images, s.labels), max(self.batch_size, 256), transform=self._plain_batch)

    def train_dataloader(self) -> TensorLoader:
        """Shuffled, augmented batches."""
        s = self.splits["train"]
        return TensorLoader(
            (s.images, s.labels), self.batch_size, shuffle=True, seed=self.seed, transform=self._training_batch
        )

    def val_dataloader(self) -> TensorLoader | list:
        """Validation batches; none when no share is kept."""
        return self.loader("validation") if self.validation else []

    def test_dataloader(self) -> TensorLoader:
        """Test batches."""
        return self.loader("test")

    def predict_dataloader(self) -> TensorLoader:
        """Test batches."""
        return self.loader("test")


def as_floats(images: Tensor) -> Tensor:
    """Bytes 0..255 as float32 0..1; floats as they are."""
    return images.float().div_(255) if images.dtype == torch.uint8 else images


class Digits(ImageData):
    """scikit-learn's 1,797 handwritten digits of 8x8 pixels: real, no download.

    The file is in the order of its writers, so a contiguous test part holds people never seen in training.

    Args:
        fold: with `num_folds`, which contiguous part is the test split; by default the last 20 % are.
        num_folds: how many parts.
        batch_size, validation, augmentations, seed: see `ImageData`.
    """

    def __init__(
        self,
        batch_size: int = 64,
        validation: float = 0.1,
        augmentations: list[Augmentation] | None = None,
        seed: int | None = None,
        fold: int | None = None,
        num_folds: int = 10,
    ):
        super().__init__(batch_size, validation, augmentations, seed)
        if fold is not None and not 0 <= fold < num_folds:
            raise InputError(f"data.fold: expected 0..{num_folds - 1}, got {fold}; mend the command")
        self.fold, self.num_folds = fold, num_folds

    def load(self) -> tuple[Split, Split]:
        """See `ImageData.load`."""
        from sklearn.datasets import load_digits  # a second of imports that only this data set needs

        pixels, labels = load_digits(return_X_y=True)
        images = torch.from_numpy(pixels).float().div_(16).view(-1, 1, 8, 8)
        whole = Split(images, torch.from_numpy(labels).long())
        self.class_names = [str(digit) for digit in range(10)]
        total = len(labels)
        if self.fold is None:
            cut = round(0.8 * total)
            return whole.part(0, cut), whole.part(cut, total)
        start, stop = (round(total * part / self.num_folds) for part in (self.fold, self.fold + 1))
        train = Split(
            torch.cat([images[:start], images[stop:]]), torch.cat([whole.labels[:start], whole.labels[stop:]])
        )
        return train, whole.part(start, stop)


class StoredImages(ImageData):
    """A set that a script of `data_scripts/` has written to `root/<name>/images.pt`.

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
        self.name, self.root, self.limit = name, Path(root), limit

    def load(self) -> tuple[Split, Split]:
        """See `ImageData.load`."""
        path = self.root / self.name / "images.pt"
        if not path.is_file():
            raise InputError(
                f"data: expected {path}, got no such file; make it with: python data_scripts/{self.name}.py"
            )
        try:
            stored = torch.load(path, weights_only=True)
            self.class_names = list(stored["class_names"])
            train, test = (Split(stored[f"{part}_images"], stored[f"{part}_labels"]) for part in ("train", "test"))
        except Exception as error:  # torch raises a dozen kinds for a damaged file
            raise InputError(
                f"data: expected images that data_scripts/{self.name}.py wrote, got a damaged {path}; run it again"
            ) from error
        return train.part(0, self.limit or len(train.labels)), test
