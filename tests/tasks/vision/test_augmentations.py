"""Whole-batch augmentations against a loop over the images."""

import math
import time

import pytest
import torch
from torch.nn.functional import pad
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import affine

from tasks.vision.augmentations import Affine, Crop, CutMix, Cutout, Flip, Mixup
from zoo.errors import InputError

LABELS = torch.arange(6) % 3
SHAPES = [(6, 1, 9, 9), (6, 3, 8, 12)]


def images_of(shape) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(5)) * 0.9 + 0.05


ALL = [
    Affine(20, 0.2, 0.2, 15),
    Affine(20, 0.2, 0.2, 15, p=0.5, interpolation="bicubic"),
    Affine(elastic=0.1),
    Crop(2),
    Flip(),
    Cutout(3),
    Mixup(3),
    CutMix(3),
]


@pytest.mark.parametrize("augmentation", ALL, ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_all_promise(augmentation, shape):
    images = images_of(shape)
    before = images.clone()
    torch.manual_seed(1)
    once, labels = augmentation(images, LABELS)
    torch.manual_seed(1)
    again, _ = augmentation(images.contiguous(memory_format=torch.channels_last), LABELS)
    assert images.equal(before)  # the data in memory stay what they are
    assert once.equal(again) and once.shape == images.shape and once.dtype == images.dtype
    assert once.min() >= 0 and once.max() <= 1
    assert not once.equal(augmentation(images, LABELS)[0])  # drawn from the global generator
    assert len(labels) == len(LABELS)


@pytest.mark.parametrize("augmentation", ALL[:6], ids=lambda a: type(a).__name__)
def test_soft_labels_pass_through(augmentation):
    soft = torch.rand(6, 3).softmax(1)
    assert augmentation(images_of(SHAPES[0]), soft)[1] is soft


@pytest.mark.parametrize("degrees", [0.0, 30.0])
@pytest.mark.parametrize("shear", [0.0, 20.0])
@pytest.mark.parametrize("scale", [0.0, 0.3])
@pytest.mark.parametrize("translate", [0.0, 0.25])
def test_affine_is_torchvisions_image_by_image(degrees, shear, scale, translate):
    images = images_of((5, 2, 16, 16))
    torch.manual_seed(3)
    ours, _ = Affine(degrees, translate, scale, shear)(images, LABELS[:5])
    torch.manual_seed(3)
    draw = torch.empty(5, 5).uniform_(-1, 1)
    for i, (a, s, z, x, y) in enumerate(draw.t().tolist()):
        # A shift in our units of the output's place: torchvision moves the input by the inverse linear map of it.
        angle, slant, zoom = math.radians(a * degrees), math.tan(math.radians(s * shear)), 1 + z * scale
        cos, sin = math.cos(angle), math.sin(angle)
        linear = torch.tensor([[cos, cos * slant - sin], [sin, sin * slant + cos]], dtype=torch.float64) / zoom
        shift = -torch.linalg.solve(linear, torch.tensor([x, y], dtype=torch.float64) * translate * 16)
        theirs = affine(
            images[i],
            angle=-a * degrees,
            translate=[0, 0],
            scale=zoom,
            shear=[0.0, 0.0],
            interpolation=InterpolationMode.BILINEAR,
        )
        if shear == 0 and translate == 0:
            torch.testing.assert_close(ours[i], theirs, atol=2e-4, rtol=0)
        torch.testing.assert_close(ours[i], sampled(images[i], linear, shift), atol=1e-4, rtol=0)


def sampled(image: torch.Tensor, linear: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Bilinear, pixel by pixel: output at p reads input at linear (p - shift), about the centre, zeros outside."""
    height, width = image.shape[1:]
    out = torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            place = torch.tensor([column + 0.5 - width / 2, row + 0.5 - height / 2], dtype=torch.float64)
            x, y = (linear @ (place - shift)).tolist()
            x, y = x + width / 2 - 0.5, y + height / 2 - 0.5
            for i in (math.floor(y), math.floor(y) + 1):
                for j in (math.floor(x), math.floor(x) + 1):
                    if 0 <= i < height and 0 <= j < width:
                        out[:, row, column] += (1 - abs(y - i)) * (1 - abs(x - j)) * image[:, i, j]
    return out


def test_affine_leaves_the_share_1_minus_p_untouched():
    images = images_of((400, 1, 6, 6))
    changed = (Affine(30, p=0.25)(images, torch.zeros(400))[0] != images).flatten(1).any(1)
    assert 0.15 < changed.float().mean() < 0.35
    assert Affine()(images, torch.zeros(400))[0].sub(images).abs().max() < 1e-5


def test_a_quarter_turn_of_an_oblong_image_moves_its_centre_by_pixels():
    image = torch.zeros(1, 1, 9, 21)
    image[0, 0, 4, 8:13] = 1.0  # a bar of five pixels along the long side
    turned = turned_by(image, 90)
    expected = torch.zeros_like(image)
    expected[0, 0, 2:7, 10] = 1.0  # the same bar along the short side, as long as before
    torch.testing.assert_close(turned, expected, rtol=0, atol=1e-4)


def turned_by(image, degrees):
    """`Affine` with its draws replaced by the largest rotation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "uniform_", lambda self, *_: self.zero_().index_fill_(0, torch.tensor([0]), 1.0))
        return Affine(degrees)(image, LABELS[:1])[0]


def test_elastic_shifts_pixels_by_the_share_asked_for():
    """On a ramp a pixel's change is its shift: the centre is one of the points that move, the place beside it is not."""
    n, side, share = 4000, 9, 0.1
    ramp = torch.linspace(0, 1, side).repeat(side, 1).expand(n, 1, side, side)
    change_NHW = (Affine(elastic=share)(ramp, torch.zeros(n))[0] - ramp)[:, 0]
    half_side_in_values = 0.5 * side / (side - 1)
    assert change_NHW[:, 4, 4].std() / half_side_in_values == pytest.approx(share, rel=0.05)
    neighbours = torch.corrcoef(torch.stack([change_NHW[:, 4, 4], change_NHW[:, 4, 5], change_NHW[:, 1, 1]]))
    assert neighbours[0, 1] > 0.9 > 0.5 > neighbours[0, 2]  # smooth, and not one shift of the whole image


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_crop_is_a_window_of_the_padded_image(shape, dtype):
    images = (images_of(shape) * 255).to(dtype)
    torch.manual_seed(4)
    ours, _ = Crop(3)(images, LABELS)
    torch.manual_seed(4)
    top, left = torch.randint(0, 7, (2, 6)).tolist()
    for i in range(6):
        window = pad(images[i], [3] * 4)[:, top[i] : top[i] + shape[2], left[i] : left[i] + shape[3]]
        assert ours[i].equal(window)
    assert len(set(zip(top, left, strict=True))) > 1  # every image has its own draw


def test_flip_mirrors_chosen_images_exactly():
    images = images_of((200, 3, 5, 7))
    flipped, _ = Flip(0.3)(images, torch.zeros(200))
    mirrored, same = (
        torch.tensor([after.equal(change(before)) for after, before in zip(flipped, images, strict=True)])
        for change in (lambda image: image.flip(2), lambda image: image)
    )
    assert (mirrored ^ same).all() and 0.2 < mirrored.float().mean() < 0.4
    assert Flip(1.0)(images, LABELS)[0].equal(images.flip(3)) and Flip(0.0)(images, LABELS)[0].equal(images)


@pytest.mark.parametrize("size", [1, 3, 4, 30])
def test_cutout_is_a_square_about_a_pixel(size):
    images = images_of((6, 2, 9, 11))
    torch.manual_seed(6)
    ours, _ = Cutout(size)(images, LABELS)
    torch.manual_seed(6)
    torch.rand(6)
    rows, columns = torch.randint(0, 9, (6, 1)), torch.randint(0, 11, (6, 1))
    for i in range(6):
        twin = images[i].clone()
        top, left = int(rows[i]) - size // 2, int(columns[i]) - size // 2
        twin[:, max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] = 0
        assert ours[i].equal(twin)
    assert Cutout(size, p=0.0)(images, LABELS)[0].equal(images)


def test_mixup_mixes_images_and_labels_by_one_share():
    images, one_hot = images_of((6, 1, 4, 4)), torch.eye(3)[LABELS]
    mixed, soft = Mixup(3, alpha=1.0)(images, LABELS)
    other = images.roll(1, 0)
    share = ((mixed - other) / (images - other)).median()
    torch.testing.assert_close(mixed, share * images + (1 - share) * other)
    torch.testing.assert_close(soft, share * one_hot + (1 - share) * one_hot.roll(1, 0))


def test_cutmix_labels_are_areas():
    images, one_hot = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 1, 10, 10), torch.eye(3)[LABELS]
    torch.manual_seed(2)
    mixed, soft = CutMix(3)(images, LABELS)
    share = (mixed == images).float().mean((1, 2, 3))[:, None]
    assert 0 < share[0] < 1
    torch.testing.assert_close(soft, share * one_hot + (1 - share) * one_hot.roll(1, 0))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Affine(p=2), "Affine.p: expected a probability, got 2"),
        (lambda: Affine(degrees=-1), "ranges of 0 or more"),
        (lambda: Affine(elastic=-0.1), "elastic=-0.1"),
        (lambda: Affine(scale=1.0), "scale below 1"),
        (lambda: Crop(0), "1 or more"),
        (lambda: Flip(-0.1), "Flip.p"),
        (lambda: Cutout(0), "size >= 1"),
        (lambda: Mixup(1), "num_classes >= 2"),
        (lambda: CutMix(3, alpha=0), "alpha > 0"),
        (lambda: CutMix(3)(*Mixup(3)(images_of(SHAPES[0]), LABELS)), "mix once"),
        (lambda: Mixup(3).check(4), "num_classes: expected 4 as the data have, got 3"),
    ],
)
def test_wrong_settings_are_one_line(wrong, words):
    with pytest.raises(InputError, match=words) as error:
        wrong()
    assert "\n" not in str(error.value)


def test_crop_and_flip_of_60_000_images_cost_little():
    images, labels = torch.rand(128, 1, 28, 28), torch.zeros(128)
    crop, flip, spent = Crop(4), Flip(), []
    for _ in range(20):
        start = time.process_time()
        flip(*crop(images, labels))
        spent.append(time.process_time() - start)
    assert sorted(spent)[10] * 60_000 / 128 < 1.5  # 0.15 s on a quiet machine
