"""Any folder of images, a subfolder a class, decoded once into memory and checked before training."""

from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2.functional import center_crop, pil_to_tensor, resize

from tasks.vision.augmentations import Augmentation
from tasks.vision.data import ImageData, Split
from zoo.errors import InputError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


class ImageFolder(ImageData):
    """`root/train/<class>/*` and `root/test/<class>/*`, or `root/<class>/*` of which a share becomes the test split.

    Args:
        root: the folder.
        size: height and width that every image is scaled (shorter side) and cropped to.
        grey: one channel instead of three.
        test: share of a folder without train/ and test/ that is kept for testing, drawn by `split_seed`.
        split_seed: of that draw, and of the order that validation is cut from.
        max_memory_gb: refuse a folder whose decoded images need more.
        batch_size, validation, augmentations, seed: see `ImageData`.
    """

    def __init__(
        self,
        root: str,
        size: int = 64,
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
        self.root, self.size, self.grey, self.test = Path(root), size, grey, test
        self.split_seed, self.max_memory_gb = split_seed, max_memory_gb

    def load(self) -> tuple[Split, Split]:
        """See `ImageData.load`."""
        if not self.root.is_dir():
            raise InputError(f"data.root: expected a folder of images, got {self.root}, which is none; mend the path")
        parts = [self.root / "train", self.root / "test"]
        if all(part.is_dir() for part in parts):
            self.class_names = class_folders(parts[0])
            return self._shuffled(self._read(parts[0])), self._read(parts[1])
        self.class_names = class_folders(self.root)
        whole = self._shuffled(self._read(self.root))
        cut = len(whole.labels) - round(self.test * len(whole.labels))
        return whole.part(0, cut), whole.part(cut, len(whole.labels))

    def _read(self, folder: Path) -> Split:
        unknown = set(class_folders(folder)) - set(self.class_names)
        if unknown:
            raise InputError(f"{folder}: expected the classes of train/, got {sorted(unknown)[0]} too; remove or add it")
        files = [(path, i) for i, name in enumerate(self.class_names) for path in image_files(folder / name)]
        channels = 1 if self.grey else 3
        need = len(files) * channels * self.size**2 / 1e9
        if need > self.max_memory_gb:
            raise InputError(
                f"{folder}: expected at most {self.max_memory_gb} GB of pixels, got {need:.1f}; "
                "lower data.size or raise data.max_memory_gb"
            )
        if not files:
            raise InputError(f"{folder}: expected images in class folders, got none; known endings: {', '.join(ENDINGS)}")
        images = torch.stack([decoded(path, self.size, self.grey) for path, _ in files])
        return Split(images, torch.tensor([label for _, label in files]))

    def _shuffled(self, split: Split) -> Split:
        # Files come class by class: without a draw the last part would hold the last class alone.
        order = torch.randperm(len(split.labels), generator=torch.Generator().manual_seed(self.split_seed))
        return Split(split.images[order], split.labels[order])


def class_folders(folder: Path) -> list[str]:
    """Names of the subfolders, sorted.

    Raises:
        InputError: fewer than two.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(names) < 2:
        raise InputError(f"{folder}: expected a subfolder for each of 2 or more classes, got {len(names)}; sort the images")
    return names


def image_files(folder: Path) -> list[Path]:
    """Image files of a folder, sorted; none if there is no such folder."""
    found = folder.rglob("*") if folder.is_dir() else []
    return sorted(path for path in found if path.suffix.lower() in ENDINGS)


def decoded(path: Path, size: int, grey: bool) -> Tensor:
    """An image file as bytes [C, size, size], its shorter side scaled and its middle cut out.

    Raises:
        InputError: the file is no image, or damaged.
    """
    try:
        with Image.open(path) as image:
            pixels = pil_to_tensor(image.convert("L" if grey else "RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        reason = " ".join(str(error).split())[:80]
        raise InputError(f"{path}: expected an image, got a damaged file ({reason}); remove or replace it") from error
    return center_crop(resize(pixels, [size], antialias=True), [size, size])
