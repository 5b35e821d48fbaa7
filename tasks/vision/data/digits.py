"""scikit-learn's handwritten digits."""

import torch

from tasks.vision.augmentations import Augmentation
from tasks.vision.data.image_data import ImageData, Split
from zoo.errors import InputError


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
