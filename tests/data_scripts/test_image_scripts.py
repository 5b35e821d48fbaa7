"""The scripts on small made files in the original formats."""

import dataclasses
import gzip
import hashlib
import io
import pickle
import tarfile

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10, CIFAR100

from data_scripts import cifar10, cifar100, fashion_mnist, mnist
from tasks.vision.archives import ArrayUnpickler, read_idx
from zoo.errors import InputError


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()


def made(script, folder, contents: dict[str, bytes]):
    """The script with the checksums of made files, which are written to `folder`."""
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    sums = {name: "md5:" + hashlib.md5(content).hexdigest() for name, content in contents.items()}
    files = [dataclasses.replace(file, checksum=sums[file.name], content="") for file in script.files]
    return dataclasses.replace(script, files=files)


def idx_set(seed=0) -> tuple[dict[str, bytes], dict[str, np.ndarray]]:
    generator, contents, arrays = np.random.default_rng(seed), {}, {}
    for part, prefix, count in (("train", "train", 12), ("test", "t10k", 5)):
        arrays[f"{part}_images"] = generator.integers(0, 256, (count, 28, 28), np.uint8)
        arrays[f"{part}_labels"] = generator.integers(0, 10, count, np.uint8)
        contents[f"{prefix}-images-idx3-ubyte.gz"] = gzip.compress(idx(arrays[f"{part}_images"]))
        contents[f"{prefix}-labels-idx1-ubyte.gz"] = gzip.compress(idx(arrays[f"{part}_labels"]))
    return contents, arrays


def pickled(value) -> bytes:
    # Protocol 2 under the module name that NumPy had when CIFAR was published.
    return pickle.dumps(value, protocol=2).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def cifar_archive(dataset, names: list[str], seed=0) -> tuple[bytes, dict[str, np.ndarray]]:
    generator, stream, arrays = np.random.default_rng(seed), io.BytesIO(), {}
    key = "labels" if dataset is CIFAR10 else "fine_labels"
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:

        def add(name, value):
            raw = pickled(value)
            member = tarfile.TarInfo(f"{dataset.base_folder}/{name}")
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))

        add(dataset.meta["filename"], {dataset.meta["key"]: names})
        for part, files in (("train", dataset.train_list), ("test", dataset.test_list)):
            pixels = [generator.integers(0, 256, (3, 3072), np.uint8) for _ in files]
            labels = [generator.integers(0, len(names), 3) for _ in files]
            for (name, _), data, chosen in zip(files, pixels, labels, strict=True):
                add(name, {"data": data, key: chosen.tolist(), "batch_label": "made"})
            arrays[f"{part}_images"], arrays[f"{part}_labels"] = np.concatenate(pixels), np.concatenate(labels)
    return stream.getvalue(), arrays


@pytest.mark.parametrize("module", [mnist, fashion_mnist])
def test_idx_sets(module, tmp_path, capsys):
    contents, arrays = idx_set()
    script = made(module.SCRIPT, tmp_path / "source", contents)
    arguments = ["--to", str(tmp_path / "to")]
    assert script.main([*arguments, "--from", str(tmp_path / "source")]) == 0
    stored = torch.load(tmp_path / "to" / "images.pt", weights_only=True)
    for name, array in arrays.items():
        images = torch.from_numpy(array)
        assert stored[name].equal(images.unsqueeze(1) if name.endswith("images") else images.long())
    assert len(stored["class_names"]) == 10
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["images.pt"]
    assert script.main(["verify", *arguments]) == 0 and "verified" in capsys.readouterr().out


@pytest.mark.parametrize(("module", "dataset", "classes"), [(cifar10, CIFAR10, 10), (cifar100, CIFAR100, 100)])
def test_cifar(module, dataset, classes, tmp_path):
    names = [f"thing {i}" for i in range(classes)]
    raw, arrays = cifar_archive(dataset, names)
    script = made(module.SCRIPT, tmp_path / "source", {dataset.filename: raw})
    assert script.main(["--to", str(tmp_path / "to"), "--from", str(tmp_path / "source"), "--keep"]) == 0
    stored = torch.load(tmp_path / "to" / "images.pt", weights_only=True)
    assert stored["class_names"] == names and (tmp_path / "to" / "downloads" / dataset.filename).is_file()
    for part in ("train", "test"):
        # A row is the red plane, then the green, then the blue.
        planes = arrays[f"{part}_images"].reshape(-1, 3, 32, 32)
        assert stored[f"{part}_images"].equal(torch.from_numpy(planes))
        assert stored[f"{part}_labels"].tolist() == arrays[f"{part}_labels"].tolist()


def test_the_checksums_are_asked_for_before_anything_is_read(tmp_path, capsys):
    raw, _ = cifar_archive(CIFAR10, ["a", "b"])
    made(cifar10.SCRIPT, tmp_path / "source", {CIFAR10.filename: raw})
    assert cifar10.SCRIPT.main(["--to", str(tmp_path / "to"), "--from", str(tmp_path / "source")]) == 2
    said = capsys.readouterr().err
    assert f"expected md5:{CIFAR10.tgz_md5}" in said and said.count("\n") == 1
    assert not list((tmp_path / "to").rglob("*.*t"))  # nothing stored


def test_a_pickle_that_runs_code_is_refused():
    class Evil:
        def __reduce__(self):
            return (print, ("ran",))

    with pytest.raises(InputError, match=r"got \w+.print in a pickle"):
        ArrayUnpickler(io.BytesIO(pickle.dumps({"data": Evil()}))).load()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no gzip", "expected a gzipped IDX file"),
        (gzip.compress(idx(np.zeros((2, 3, 3), np.uint8)))[:-9], "expected a gzipped IDX file"),
        (gzip.compress(idx(np.zeros((2, 3, 3), np.uint8))[:-1]), r"shape \[2, 3, 3\] and 17 values"),
        (gzip.compress(idx(np.zeros(4, np.uint8))), "expected bytes in 3 dimensions"),
        (gzip.compress(b""), "expected bytes in 3 dimensions"),
    ],
)
def test_damaged_idx_files_are_one_line(tmp_path, content, words):
    (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        read_idx(tmp_path / "x.gz", 3)
    assert str(error.value).startswith("x.gz: ") and "\n" not in str(error.value)


def test_damage_and_absence_are_one_line_and_2(tmp_path, capsys):
    script = made(mnist.SCRIPT, tmp_path / "source", idx_set()[0])
    to = ["--to", str(tmp_path / "to")]
    assert script.main(["verify", *to]) == 2
    assert "make it with: python data_scripts/mnist.py" in capsys.readouterr().err
    assert script.main([*to, "--from", str(tmp_path / "nowhere")]) == 2
    assert script.main([*to, "--from", str(tmp_path / "source")]) == 0
    path = tmp_path / "to" / "images.pt"
    stored = torch.load(path, weights_only=True)
    stored["train_images"][3, 0, 5, 5] ^= 1
    torch.save(stored, path)
    capsys.readouterr()
    assert script.main(["verify", *to]) == 2
    assert "expected content" in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:200])
    assert script.main(["verify", *to]) == 2
    said = capsys.readouterr().err
    assert "damaged" in said and said.count("\n") == 1
    with pytest.raises(SystemExit, match="2"):
        script.main(["mend"])
