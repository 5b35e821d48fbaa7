"""scikit-learn's handwritten digits."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
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
        pixels, labels = pixels_and_labels()
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


def pixels_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """[1797, 64] pixels in 0..16 and their [1797] labels, as `sklearn.datasets.load_digits` gives them.

    The file is read where scikit-learn keeps it: importing scikit-learn costs 0.4 CPU seconds more.
    """
    spec = find_spec("sklearn")
    for folder in spec.submodule_search_locations or [] if spec else []:
        file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            table = np.loadtxt(file, delimiter=",")
            return table[:, :-1], table[:, -1].astype(int)
    from sklearn.datasets import load_digits  # another layout of the package

    return load_digits(return_X_y=True)
