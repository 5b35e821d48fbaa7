"""Augmentations of whole batches: called with (images_NCHW in 0..1, labels), every image gets its own draw.

torchvision's v2 transforms draw one parameter set for a whole batch; affine, crop, flip and cutout are vectorised
here instead. Mixup and cutmix mix within a batch and are torchvision's own. All draw from torch's global generator,
whose state the checkpoints hold.
"""

import math
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate, pad
from torchvision.transforms import v2

from zoo.errors import InputError

Pair = tuple[Tensor, Tensor]


class Augmentation(ABC):
    """One transform of a batch."""

    @abstractmethod
    def __call__(self, images_NCHW: Tensor, labels: Tensor) -> Pair:
        """Images and labels, changed; labels are [N] classes, or [N, classes] after a mixing one."""

    def check(self, num_classes: int) -> None:  # noqa: B027 most fit any data
        """Refuse data that it does not fit; the data ask before training."""


class Affine(Augmentation):
    """Rotation, shift, scale, shear and a smooth warp of every image about its centre, zeros outside.

    The warp (Simard et al. 2003) moves 3x3 points of the image by random amounts and the pixels between them smoothly;
    it is added to the affine positions, so that the image is interpolated only once.

    Args:
        degrees: rotation is uniform in [-degrees, degrees].
        translate: shift is uniform in this share of the side, both ways.
        scale: factor is uniform in [1 - scale, 1 + scale].
        shear: horizontal shear in degrees.
        p: share of the images that are changed; the others stay as sharp as the test images will be.
        interpolation: "bilinear", or "bicubic", which blurs less.
        elastic: standard deviation of the points' shifts, as a share of half the side; 0 warps nothing.
    """

    def __init__(
        self,
        degrees: float = 0.0,
        translate: float = 0.0,
        scale: float = 0.0,
        shear: float = 0.0,
        p: float = 1.0,
        interpolation: Literal["bilinear", "bicubic"] = "bilinear",
        elastic: float = 0.0,
    ):
        if not 0 <= p <= 1:
            raise InputError(f"Affine.p: expected a probability, got {p}; 1 changes every image")
        if min(degrees, translate, scale, shear, elastic) < 0 or scale >= 1:
            raise InputError(
                "Affine: expected ranges of 0 or more and scale below 1, got degrees="
                f"{degrees}, translate={translate}, scale={scale}, shear={shear}, elastic={elastic}; mend the recipe"
            )
        self.degrees, self.translate, self.scale, self.shear = degrees, translate, scale, shear
        self.elastic = elastic
        self.p, self.interpolation = p, interpolation

    def __call__(self, images_NCHW: Tensor, labels: Tensor) -> Pair:
        """See `Augmentation`."""
        n = len(images_NCHW)
        draw = torch.empty(5, n, device=images_NCHW.device).uniform_(-1, 1)
        angle, shear = draw[0] * math.radians(self.degrees), draw[1] * math.radians(self.shear)
        zoom = 1 / (1 + draw[2] * self.scale)
        theta_N23 = affine_matrices(angle, shear, zoom, 2 * self.translate * draw[3:5])
        height, width = images_NCHW.shape[2:]
        theta_N23[:, 0, 1] *= height / width  # positions are in half sides, angles in pixels
        theta_N23[:, 1, 0] *= width / height
        grid = affine_grid(theta_N23, list(images_NCHW.shape), align_corners=False)
        if self.elastic:
            grid = grid + warp(n, list(images_NCHW.shape[2:]), images_NCHW.device) * self.elastic
        moved = grid_sample(images_NCHW, grid.to(images_NCHW), self.interpolation, align_corners=False).clamp(0, 1)
        if self.p < 1:
            chosen = torch.rand(n, device=images_NCHW.device) < self.p
            moved = torch.where(chosen[:, None, None, None], moved, images_NCHW)
        return moved, labels


def affine_matrices(angle_N: Tensor, shear_N: Tensor, zoom_N: Tensor, shift_2N: Tensor) -> Tensor:
    """[N, 2, 3] maps from output to input positions, in units of half a side: zoom * R(angle) * shear, then shift."""
    cos, sin, slant = angle_N.cos(), angle_N.sin(), shear_N.tan()
    rows = torch.stack([cos, cos * slant - sin, shift_2N[0], sin, sin * slant + cos, shift_2N[1]], 1)
    theta = rows.view(-1, 2, 3)
    return torch.cat([theta[:, :, :2] * zoom_N[:, None, None], theta[:, :, 2:]], 2)


def warp(n: int, size: list[int], device: torch.device) -> Tensor:
    """[N, H, W, 2] smooth fields through 3x3 standard normal draws at the image's corners, edges and centre."""
    knots_N233 = torch.randn(n, 2, 3, 3, device=device)
    return interpolate(knots_N233, size=size, mode="bicubic", align_corners=True).permute(0, 2, 3, 1)


class Crop(Augmentation):
    """Zeros of width `padding` around every image, then a window of the old size at a random place."""

    def __init__(self, padding: int = 4):
        if padding < 1:
            raise InputError(f"Crop.padding: expected 1 or more, got {padding}; leave Crop out to switch it off")
        self.padding = padding

    def __call__(self, images_NCHW: Tensor, labels: Tensor) -> Pair:
        """See `Augmentation`."""
        n, c, h, w = images_NCHW.shape
        padded = pad(images_NCHW, [self.padding] * 4).contiguous()
        height, width = padded.shape[2:]
        top_N, left_N = torch.randint(0, 2 * self.padding + 1, (2, n), device=images_NCHW.device)
        # Where every row of every window starts in memory; rows are then fetched whole, 4-7x faster than by pixel.
        planes_NC = torch.arange(n * c, device=top_N.device).view(n, c) * height
        rows_NCH = planes_NC[:, :, None] + (top_N[:, None] + torch.arange(h, device=top_N.device))[:, None]
        starts_NCH = rows_NCH * width + left_N[:, None, None]
        every_row = padded.as_strided((padded.numel() - w + 1, w), (1, 1))
        return every_row.index_select(0, starts_NCH.flatten()).view(n, c, h, w), labels


class Flip(Augmentation):
    """Mirror an image left to right with probability `p`."""

    def __init__(self, p: float = 0.5):
        if not 0 <= p <= 1:
            raise InputError(f"Flip.p: expected a probability, got {p}; 0.5 is usual")
        self.p = p

    def __call__(self, images_NCHW: Tensor, labels: Tensor) -> Pair:
        """See `Augmentation`."""
        flipped = torch.rand(len(images_NCHW), device=images_NCHW.device) < self.p
        return torch.where(flipped[:, None, None, None], images_NCHW.flip(3), images_NCHW), labels


class Cutout(Augmentation):
    """Zeros in a square of `size` pixels about a random pixel, cut at the border. DeVries and Taylor (2017)."""

    def __init__(self, size: int = 8, p: float = 1.0):
        if size < 1 or not 0 <= p <= 1:
            raise InputError(f"Cutout: expected size >= 1 and p in [0, 1], got {size} and {p}; mend the recipe")
        self.size, self.p = size, p

    def __call__(self, images_NCHW: Tensor, labels: Tensor) -> Pair:
        """See `Augmentation`."""
        n, _, h, w = images_NCHW.shape
        device = images_NCHW.device
        hit = torch.rand(n, device=device) < self.p

        def covered(side: int) -> Tensor:
            start = torch.randint(0, side, (n, 1), device=device) - self.size // 2
            offset = torch.arange(side, device=device) - start
            return (offset >= 0) & (offset < self.size)

        hole = covered(h)[:, None, :, None] & covered(w)[:, None, None, :] & hit[:, None, None, None]
        return images_NCHW.masked_fill(hole, 0.0), labels


class Mixing(Augmentation):
    """One that mixes images of a batch and their labels, by torchvision; one lambda a batch, as in the papers.

    Args:
        num_classes: columns of the labels it makes.
        alpha: of the Beta(alpha, alpha) that lambda is drawn from.
    """

    transform: type[v2.Transform]

    def __init__(self, num_classes: int, alpha: float):
        name = type(self).__name__
        if num_classes < 2 or alpha <= 0:
            raise InputError(f"{name}: expected num_classes >= 2 and alpha > 0, got {num_classes} and {alpha}; mend it")
        self.num_classes = num_classes
        self._mix = self.transform(alpha=alpha, num_classes=num_classes)

    def __call__(self, images_NCHW: Tensor, labels: Tensor) -> Pair:
        """See `Augmentation`; labels become [N, num_classes]."""
        if labels.dim() != 1:
            name, shape = type(self).__name__, list(labels.shape)
            raise InputError(f"{name}: expected one class an image, got labels {shape}; mix once, by Mixup or CutMix")
        return self._mix(images_NCHW, labels)

    def check(self, num_classes: int) -> None:
        """See `Augmentation`."""
        if num_classes != self.num_classes:
            raise InputError(
                f"{type(self).__name__}.num_classes: expected {num_classes} as the data have, got {self.num_classes}; "
                f"set it to {num_classes}"
            )


class Mixup(Mixing):
    """x <- lambda x_i + (1 - lambda) x_j, labels alike. Zhang et al. (2018)."""

    transform = v2.MixUp

    def __init__(self, num_classes: int, alpha: float = 0.2):
        super().__init__(num_classes, alpha)


class CutMix(Mixing):
    """A box of another image, labels by area. Yun et al. (2019)."""

    transform = v2.CutMix

    def __init__(self, num_classes: int, alpha: float = 1.0):
        super().__init__(num_classes, alpha)
