"""Planted faults, each told in one line that names split, example, expectation and mend."""

import pytest
import torch

from zoo.data import check_finite, check_images, check_labels, content_hash
from zoo.errors import InputError

GOOD = torch.rand(6, 1, 4, 4)


def planted(index, value):
    images = GOOD.clone()
    images[index, 0, 1, 2] = value
    return images


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (lambda: check_images(GOOD[:0], "test"), "test split: expected at least 1 example, got 0"),
        (lambda: check_images(GOOD[:, 0], "train"), r"train images: expected \[N, C, H, W\], got \[6, 4, 4\]"),
        (lambda: check_images(GOOD, "test", (3, 4, 4)), r"test images: expected \[3, 4, 4\] as in training"),
        (lambda: check_images(planted(4, float("nan")), "train"), "train images: .* NaN or infinity in example 4"),
        (lambda: check_images(planted(2, float("inf")), "train"), "infinity in example 2"),
        (lambda: check_images(planted(0, -float("inf")), "train"), "infinity in example 0"),
        (lambda: check_images(GOOD.long(), "train"), "train images: expected uint8 or floats, got torch.int64"),
        (lambda: check_finite(torch.tensor([0.0, float("nan")]), "x"), "x: .* example 1"),
        (lambda: check_labels(torch.tensor([0, 3, 1]), 3, "val", 3), r"val labels: expected 0..2, got 3 in example 1"),
        (lambda: check_labels(torch.tensor([0, -1, 1]), 3, "val", 3), "got -1 in example 1"),
        (lambda: check_labels(torch.tensor([0, 1]), 3, "val", 3), r"val labels: expected 3, one an image, got \[2\]"),
        (lambda: check_labels(torch.tensor([0.0, 1.0]), 3, "val", 2), "expected integers, got torch.float32"),
    ],
)
def test_planted_faults(check, words):
    with pytest.raises(InputError, match=words) as error:
        check()
    assert "\n" not in str(error.value) and ";" in str(error.value)


def test_sound_data_pass():
    check_images(GOOD, "train", (1, 4, 4))
    check_images((GOOD * 255).byte(), "train")
    check_finite(torch.full((3, 2), 3e38), "x")  # their sum overflows, they do not
    check_labels(torch.tensor([0, 1, 2]), 3, "train", 3)


def test_content_hash_tells_values_shapes_types_and_order_apart():
    a = torch.arange(6.0)
    different = [(a,), (a.view(2, 3),), (a.double(),), (a, a), (a.flip(0),), (a + 1e-7 * a,), (a[:0],)]
    assert len({content_hash(*tensors) for tensors in different}) == len(different)
    assert content_hash(a.view(2, 3).t()) == content_hash(a.view(2, 3).t().contiguous())
    assert content_hash(torch.tensor(True), a.bfloat16()) == content_hash(torch.tensor(True), a.bfloat16())
