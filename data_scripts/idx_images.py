"""MNIST and Fashion-MNIST: four idx.gz files become one images.pt."""

import argparse
import gzip
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoo.data import fetch
from zoo.errors import InputError
from zoo.training.checkpoints import save_atomically

FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}


def read_idx(path: Path) -> Tensor:
    """An idx file of bytes, gzipped, as a tensor of its shape.

    Raises:
        InputError: the file is damaged or another format.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: expected a gzip file, got a damaged one; fetch it again") from error
    dimensions = content[3] if len(content) > 3 else 0
    shape = np.frombuffer(content, ">u4", dimensions, 4).astype(int) if len(content) >= 4 + 4 * dimensions else []
    start = 4 + 4 * dimensions
    if content[:3] != b"\x00\x00\x08" or len(content) - start != np.prod(shape):
        raise InputError(f"{path}: expected an idx file of bytes, got {len(content)} bytes of another kind; fetch it again")
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy())


def convert(folder: Path, class_names: list[str], to: Path) -> None:
    """Write the four files of `folder` as one file that `tasks.vision.data.StoredImages` reads."""
    parts = {part: read_idx(folder / file) for part, file in FILES.items()}
    for split in ("train", "test"):
        parts[f"{split}_images"] = parts[f"{split}_images"].unsqueeze(1)
        parts[f"{split}_labels"] = parts[f"{split}_labels"].long()
    save_atomically({**parts, "class_names": class_names}, to)


def main(name: str, home: str, checksums: dict[str, str], class_names: list[str], arguments: list[str],
         contents: dict[str, str] | None = None) -> int:
    """Fetch, verify and convert; the exit code of the script.

    Args:
        name: folder below --to.
        home: address that the file names are appended to.
        checksums: file -> "md5:..." of the published files.
        class_names: in the order of the labels.
        arguments: of the command line.
        contents: file -> "sha256:..." of what it holds unpacked, for copies that were packed anew.
    """
    parser = argparse.ArgumentParser(description=f"Fetch {name} and write DIR/{name}/images.pt")
    parser.add_argument("--to", type=Path, default=Path("data"), metavar="DIR", help="folder of all data sets")
    parser.add_argument("--from", type=Path, dest="local", metavar="DIR", help="folder with a copy of the files")
    chosen = parser.parse_args(arguments)
    folder = chosen.to / name
    try:
        for file, checksum in checksums.items():
            fetch(home + file, folder / "original" / file, checksum, chosen.local, (contents or {}).get(file, ""))
        convert(folder / "original", class_names, folder / "images.pt")
    except InputError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return 2
    print(f"{name}: {folder / 'images.pt'}")
    return 0
