"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): 50,000 and 10,000 colour images, 32x32.

python data_scripts/cifar.py [--classes 10|100] [--to data] [--from DIR]
"""

import argparse
import pickle
import sys
import tarfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

import numpy as np
import torch
from torch import Tensor
from torchvision.datasets import CIFAR10, CIFAR100

from zoo.data import fetch
from zoo.errors import InputError
from zoo.training.checkpoints import save_atomically

# set -> torchvision's class (address and checksum), label key, file of names, key of names
SETS = {
    10: (CIFAR10, b"labels", "batches.meta", b"label_names"),
    100: (CIFAR100, b"fine_labels", "meta", b"fine_label_names"),
}


class PlainUnpickler(pickle.Unpickler):
    """Reads arrays and plain values and nothing else: a pickle may otherwise run any code."""

    ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
    }  # fmt: skip

    def find_class(self, module: str, name: str):
        """The named class, if it is an array's."""
        if (module, name) not in self.ALLOWED:
            raise InputError(f"cifar: expected arrays in the archive, got {module}.{name}; fetch it anew")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_archive(path: Path, classes: int) -> dict[str, Tensor | list[str]]:
    """The archive's batches as one set: uint8 images [N, 3, 32, 32], labels and class names."""
    dataset, label_key, names_file, names_key = SETS[classes]
    parts: dict[str, list] = {"train_images": [], "train_labels": [], "test_images": [], "test_labels": []}
    files = {"train": [name for name, _ in dataset.train_list], "test": [name for name, _ in dataset.test_list]}
    with tarfile.open(path) as archive:

        def member(name: str) -> dict:
            return PlainUnpickler(archive.extractfile(f"{dataset.base_folder}/{name}"), encoding="bytes").load()

        for split, names in files.items():
            for name in names:
                batch = member(name)
                parts[f"{split}_images"].append(torch.from_numpy(np.asarray(batch[b"data"]).reshape(-1, 3, 32, 32).copy()))
                parts[f"{split}_labels"].append(torch.tensor(batch[label_key]))
        class_names = [name.decode() for name in member(names_file)[names_key]]
    return {**{key: torch.cat(values) for key, values in parts.items()}, "class_names": class_names}


def main(arguments: list[str]) -> int:
    """Fetch, verify and convert; the exit code of the script."""
    parser = argparse.ArgumentParser(description="Fetch CIFAR and write DIR/cifar10/images.pt or DIR/cifar100/images.pt")
    parser.add_argument("--classes", type=int, choices=(10, 100), default=10)
    parser.add_argument("--to", type=Path, default=Path("data"), metavar="DIR", help="folder of all data sets")
    parser.add_argument("--from", type=Path, dest="local", metavar="DIR", help="folder with a copy of the archive")
    chosen = parser.parse_args(arguments)
    dataset, name = SETS[chosen.classes][0], f"cifar{chosen.classes}"
    try:
        path = chosen.to / name / "original" / dataset.filename
        fetch(dataset.url, path, f"md5:{dataset.tgz_md5}", chosen.local)
        save_atomically(read_archive(path, chosen.classes), chosen.to / name / "images.pt")
    except InputError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return 2
    print(f"{name}: {chosen.to / name / 'images.pt'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
