"""What all image data have in common: splits in memory, checked before training, normalised by the training part."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from pytorch_lightning import LightningDataModule
from torch import Tensor

from tasks.vision.augmentations import Augmentation
from tasks.vision.data.image_files import ImageFiles
from tasks.vision.data.pixel_statistics import as_floats, mean_and_std
from zoo.data import TensorLoader, check_images, check_labels, content_hash
from zoo.data.splits import split_named, within_limit
from zoo.errors import InputError


@dataclass(frozen=True)
class Split:
    """Images [N, C, H, W], uint8 or float in 0..1, or files that stand in for them, and their labels [N]."""

    images: Tensor | ImageFiles
    labels: Tensor

    def part(self, start: int, stop: int) -> "Split":
        """Examples start .. stop - 1."""
        images = self.images
        chosen = images.part(start, stop) if isinstance(images, ImageFiles) else images[start:stop]
        return Split(chosen, self.labels[start:stop])

    def reordered(self, indices: Tensor) -> "Split":
        """The examples of these indices."""
        images = self.images
        chosen = images.reordered(indices) if isinstance(images, ImageFiles) else images.index_select(0, indices)
        return Split(chosen, self.labels[indices])


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

    def own_validation(self) -> Split | None:
        """Validation examples that the set brings itself; by default none, and a share of the training ones is kept."""
        return None

    def setup(self, stage: str | None = None) -> None:
        """Load, split and check, once."""
        if self.splits:
            return
        train, test = self.load()
        splits = {"train": train, "test": test}
        if (own := self.own_validation()) is not None:
            splits["validation"] = own
        for name, split in splits.items():
            check_images(split.images, name, tuple(train.images.shape[1:]))
            check_labels(split.labels, len(self.class_names), name, len(split.images))
        if own is None and self.validation:
            kept = len(train.labels) - round(self.validation * len(train.labels))
            splits |= {"train": train.part(0, kept), "validation": train.part(kept, len(train.labels))}
            for name in ("train", "validation"):
                check_images(splits[name].images, name)
        for augmentation in self.augmentations:
            augmentation.check(self.num_classes)
        images = splits["train"].images
        self.mean, self.std = mean_and_std(images.sample(2048) if isinstance(images, ImageFiles) else images)
        self.splits = splits

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        self.setup()
        return tuple(self.splits["train"].images.shape[1:])

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
        s = split_named(self.splits, split)
        return TensorLoader((s.images, s.labels), max(self.batch_size, 256), transform=self._plain_batch)

    def train_dataloader(self) -> TensorLoader:
        """Shuffled, augmented batches."""
        self.setup()
        s = self.splits["train"]
        loader = TensorLoader(
            (s.images, s.labels), self.batch_size, shuffle=True, seed=self.seed, transform=self._training_batch
        )
        return within_limit(loader, self.trainer)

    def val_dataloader(self) -> TensorLoader | list:
        """Validation batches; none when no share is kept."""
        self.setup()
        return self.loader("validation") if "validation" in self.splits else []

    def test_dataloader(self) -> TensorLoader:
        """Test batches."""
        return self.loader("test")

    def predict_dataloader(self) -> TensorLoader:
        """Test batches."""
        return self.loader("test")
