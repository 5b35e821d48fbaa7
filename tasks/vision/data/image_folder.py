"""Any folder of images, a subfolder a class, every file looked at before training."""

import hashlib
from pathlib import Path

import torch

from tasks.vision.augmentations import Augmentation
from tasks.vision.data.image_data import ImageData, Split
from tasks.vision.data.image_files import ENDINGS, ImageFiles
from zoo.data import permutation
from zoo.errors import InputError

VALIDATION = ("val", "validation", "valid")


class ImageFolder(ImageData):
    """`root/{train,val,test}/<class>/*`, or `root/<class>/*` of which a drawn share becomes the test split.

    Where there are only train/ and test/, or only train/ and val/, the second is the test split and validation is a
    drawn share of train/. Images are decoded once into bytes in memory; a folder that needs more than `max_memory_gb`
    is decoded batch by batch instead, in threads, as reproducibly.

    Args:
        root: the folder.
        size: height and width that every image is scaled (shorter side) and cropped to; null if all are alike.
        grey: one channel instead of three.
        test: share of a folder without train/ and test/ that is kept for testing, drawn by `split_seed`.
        split_seed: of that draw, and of the one that validation is cut from.
        max_memory_gb: what the decoded images may take.
        batch_size, validation, augmentations, seed: see `ImageData`.
    """

    def __init__(
        self,
        root: str,
        size: int | None = 64,
        grey: bool = False,
        test: float = 0.2,
        split_seed: int = 0,
        max_memory_gb: float = 4.0,
        batch_size: int = 64,
        validation: float = 0.1,
        augmentations: list[Augmentation] | None = None,
        seed: int | None = None,
    ):
        super().__init__(batch_size, validation, augmentations, seed)
        if not 0 < test < 1:
            raise InputError(f"data.test: expected a share between 0 and 1, got {test}; 0.2 is usual")
        if size is not None and size < 1:
            raise InputError(f"data.size: expected 1 pixel or more, got {size}; mend the recipe")
        self.root, self.size, self.grey, self.test = Path(root), size, grey, test
        self.split_seed, self.max_memory_gb = split_seed, max_memory_gb
        self._found: dict[str, tuple[list[Path], list[int]]] = {}

    def load(self) -> tuple[Split, Split]:
        """See `ImageData.load`."""
        if not self.root.is_dir():
            raise InputError(f"data.root: expected a folder of images, got {self.root}, which is none; mend the path")
        if (self.root / "train").is_dir():
            self.class_names = class_folders(self.root / "train")
            train, test = self._read(self.root / "train"), self._read(self._folder("test", *VALIDATION))
            return (train if self._has_own_validation() else self._drawn(train)), test
        self.class_names = class_folders(self.root)
        whole = self._drawn(self._read(self.root))
        cut = len(whole.labels) - round(self.test * len(whole.labels))
        return whole.part(0, cut), whole.part(cut, len(whole.labels))

    def own_validation(self) -> Split | None:
        """See `ImageData.own_validation`."""
        return self._read(self._folder(*VALIDATION)) if self._has_own_validation() else None

    def data_hash(self) -> str:
        """Identity of all files: names, sizes and order, since the pixels may not all be in memory."""
        self.setup()
        digest = hashlib.sha256(f"{self.size} {self.grey} {self.test} {self.split_seed} {self.validation}".encode())
        for folder, (paths, _) in sorted(self._found.items()):
            for path in paths:
                digest.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
        return digest.hexdigest()[:16]

    def _folder(self, *names: str) -> Path:
        for name in names:
            if (self.root / name).is_dir():
                return self.root / name
        raise InputError(f"data.root: expected {names[0]}/ beside train/ in {self.root}, got none; add it")

    def _has_own_validation(self) -> bool:
        return all(any((self.root / name).is_dir() for name in names) for names in (["train"], ["test"], VALIDATION))

    def _read(self, folder: Path) -> Split:
        unknown = set(class_folders(folder)) - set(self.class_names)
        if unknown:
            raise InputError(f"{folder}: expected the classes of train/, got {min(unknown)} too; remove or add it")
        found = [(path, i) for i, name in enumerate(self.class_names) for path in image_files(folder / name)]
        if not found:
            raise InputError(f"{folder}: expected images in class folders, got none; known are {', '.join(ENDINGS)}")
        seen = {i for _, i in found}
        empty = [name for i, name in enumerate(self.class_names) if i not in seen]
        if empty and folder in (self.root, self.root / "train"):  # a test part may lack a class
            raise InputError(
                f"{folder / empty[0]}: expected images of the class, got none; add some or remove the folder"
            )
        paths, labels = [path for path, _ in found], [label for _, label in found]
        self._found[str(folder)] = paths, labels
        files = ImageFiles(paths, self.size, self.grey)
        if files.gigabytes() > self.max_memory_gb:
            files.check()
            return Split(files, torch.tensor(labels))
        return Split(files[:], torch.tensor(labels))

    def _drawn(self, split: Split) -> Split:
        # Files come class by class: without a draw the last part would hold the last class alone.
        order = permutation(len(split.labels), self.split_seed, 0)
        return split.reordered(order)


def class_folders(folder: Path) -> list[str]:
    """Names of the subfolders, sorted.

    Raises:
        InputError: fewer than two.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(names) < 2:
        raise InputError(f"{folder}: expected subfolders of 2 or more classes, got {len(names)}; sort the images")
    return names


def image_files(folder: Path) -> list[Path]:
    """Image files of a folder, sorted; none if there is no such folder."""
    found = folder.rglob("*") if folder.is_dir() else []
    return sorted(path for path in found if path.suffix.lower() in ENDINGS and not path.name.startswith("."))
