"""Image files that stand in for a tensor of bytes [N, C, H, W], decoded when they are asked for."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2.functional import center_crop, pil_to_tensor, resize
from tqdm import tqdm

from zoo.data import permutation
from zoo.errors import InputError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


@dataclass(frozen=True)
class ImageFiles:
    """Takes the place of a tensor in a `TensorLoader`: a length, slices and `index_select`, in threads.

    Args:
        paths: of the files.
        size: height and width after scaling and cropping; None if all files are alike.
        grey: one channel instead of three.
    """

    paths: list[Path]
    size: int | None
    grey: bool

    dtype = torch.uint8
    device = torch.device("cpu")

    @property
    def shape(self) -> torch.Size:
        """[N, C, H, W]."""
        return torch.Size([len(self.paths), *decoded(self.paths[0], self.size, self.grey).shape])

    def dim(self) -> int:
        """4."""
        return 4

    def is_floating_point(self) -> bool:
        """They are bytes."""
        return False

    def gigabytes(self) -> float:
        """What all of them would take in memory."""
        return self.shape.numel() / 1e9

    def index_select(self, dim: int, indices: Tensor) -> Tensor:
        """Chosen images, decoded."""
        return self._decoded([self.paths[i] for i in indices.tolist()])

    def __getitem__(self, chosen: slice) -> Tensor:
        return self._decoded(self.paths[chosen])

    def part(self, start: int, stop: int) -> "ImageFiles":
        """Files start .. stop - 1, not decoded."""
        return ImageFiles(self.paths[start:stop], self.size, self.grey)

    def __len__(self) -> int:
        return len(self.paths)

    def reordered(self, indices: Tensor) -> "ImageFiles":
        """The same files in another order, or some of them."""
        return ImageFiles([self.paths[i] for i in indices.tolist()], self.size, self.grey)

    def sample(self, count: int) -> Tensor:
        """Images of a drawn part, for the statistics of their pixels."""
        return self.index_select(0, permutation(len(self), 0, 0)[:count])

    def check(self) -> None:
        """Decode every file once.

        Raises:
            InputError: naming the first that is damaged or of another size.
        """
        bar = tqdm(range(0, len(self), 256), desc="looking at every image", unit_scale=256, leave=False)
        for start in bar:
            self._decoded(self.paths[start : start + 256])

    def _decoded(self, paths: list[Path]) -> Tensor:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            images = list(pool.map(lambda path: decoded(path, self.size, self.grey), paths))
        for path, image in zip(paths, images, strict=True):
            if image.shape != images[0].shape:
                raise InputError(
                    f"{path}: expected {list(images[0].shape)} as {paths[0]}, got {list(image.shape)}; set data.size"
                )
        return torch.stack(images)


def decoded(path: Path, size: int | None, grey: bool) -> Tensor:
    """An image file as bytes [C, H, W]; with a size its shorter side is scaled and its middle cut out.

    Raises:
        InputError: the file is no image, or damaged.
    """
    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):  # 16 bits and more: `convert` would cut all above 255 to white
                raise InputError(f"{path}: expected 8 bits a channel, got mode {image.mode}; convert the file")
            upright = ImageOps.exif_transpose(image)  # cameras store how they were held, viewers turn the picture
            pixels = pil_to_tensor(upright.convert("L" if grey else "RGB"))
    except InputError:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())[:80]
        raise InputError(f"{path}: expected an image, got a damaged file ({reason}); remove or replace it") from error
    return pixels if size is None else center_crop(resize(pixels, [size], antialias=True), [size, size])
