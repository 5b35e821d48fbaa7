"""The formats in which MNIST-like sets and CIFAR are published, read into tensors."""

import gzip
import io
import math
import pickle
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.datasets import CIFAR10, MNIST

from zoo.data.script import Published
from zoo.errors import InputError

# What a pickled NumPy array needs; everything else in a pickle could run code.
HARMLESS = {
    ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
}


def published_idx(dataset: type[MNIST], contents: dict[str, str] | None = None) -> list[Published]:
    """The four files of an MNIST-like set, as torchvision knows them; `contents` gives checksums of what they hold."""
    inside = contents or {}
    return [
        Published([mirror + name for mirror in dataset.mirrors], f"md5:{md5}", inside.get(name, ""))
        for name, md5 in dataset.resources
    ]


def published_cifar(dataset: type[CIFAR10]) -> list[Published]:
    """CIFAR's archive, as torchvision knows it."""
    return [Published([dataset.url], f"md5:{dataset.tgz_md5}")]


def idx_images(folder: Path, class_names: list[str]) -> dict[str, Any]:
    """Images uint8 [N, 1, H, W] and labels [N] of both parts."""
    contents: dict[str, Any] = {"class_names": class_names}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        contents[f"{part}_images"] = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz", 3).unsqueeze(1)
        contents[f"{part}_labels"] = read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", 1).long()
    return contents


def read_idx(path: Path, dimensions: int) -> Tensor:
    """A gzipped IDX file of bytes: two zeros, type 8, the number of dimensions, each as big-endian int32, the values.

    Raises:
        InputError: it is another or a damaged file.
    """
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path.name}: expected a gzipped IDX file, got {error}; fetch it anew") from error
    header = 4 + 4 * dimensions
    shape = np.frombuffer(raw[4:header], ">i4").tolist()
    if raw[:4] != bytes([0, 0, 8, dimensions]) or len(raw) != header + math.prod(shape):
        raise InputError(
            f"{path.name}: expected bytes in {dimensions} dimensions, got header {raw[:4].hex()}, shape {shape} "
            f"and {max(0, len(raw) - header)} values; fetch it anew"
        )
    return torch.frombuffer(bytearray(raw), dtype=torch.uint8, offset=header).view(shape).clone()


def cifar_images(folder: Path, dataset: type[CIFAR10]) -> dict[str, Any]:
    """Images uint8 [N, 3, 32, 32], labels [N] (CIFAR-100's fine ones) of both parts, from the archive unextracted."""
    contents: dict[str, Any] = {}
    with tarfile.open(folder / dataset.filename) as archive:

        def member(name: str) -> dict[str, Any]:
            return _unpickled(archive, f"{dataset.base_folder}/{name}")

        contents["class_names"] = list(member(dataset.meta["filename"])[dataset.meta["key"]])
        for part, files in (("train", dataset.train_list), ("test", dataset.test_list)):
            batches = [member(name) for name, _ in files]
            pixels = np.concatenate([batch["data"] for batch in batches])
            labels = [label for batch in batches for label in batch.get("labels", batch.get("fine_labels"))]
            contents[f"{part}_images"] = torch.from_numpy(pixels).view(-1, 3, 32, 32)
            contents[f"{part}_labels"] = torch.tensor(labels)
    return contents


class ArrayUnpickler(pickle.Unpickler):
    """Reads lists, dictionaries, text and arrays, and refuses whatever could run code."""

    def find_class(self, module: str, name: str) -> Any:
        """See pickle."""
        if (module, name) not in HARMLESS:
            raise InputError(f"CIFAR: expected arrays and text only, got {module}.{name} in a pickle; do not trust it")
        return HARMLESS[module, name]


def _unpickled(archive: tarfile.TarFile, name: str) -> dict[str, Any]:
    try:
        return ArrayUnpickler(io.BytesIO(archive.extractfile(name).read()), encoding="latin1").load()
    except KeyError as error:
        raise InputError(f"CIFAR: expected {name} in the archive, got no such member; fetch it anew") from error
