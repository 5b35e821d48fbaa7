"""Checks of tensors before training: one line that names the split, the first bad example and the mend."""

import hashlib

import torch
from torch import Tensor

from zoo.errors import InputError


def check_images(images_NCHW: Tensor, split: str, shape: tuple[int, int, int] | None = None) -> None:
    """Refuse an empty split, a wrong rank or shape, and values that are not finite.

    Raises:
        InputError: naming the first bad example.
    """
    if images_NCHW.dim() != 4:
        raise InputError(f"{split} images: expected [N, C, H, W], got {list(images_NCHW.shape)}; reshape the data")
    if len(images_NCHW) == 0:
        raise InputError(f"{split} split: expected at least 1 example, got 0; give it a larger share or more data")
    if shape is not None and tuple(images_NCHW.shape[1:]) != tuple(shape):
        raise InputError(
            f"{split} images: expected {list(shape)} as in training, got {list(images_NCHW.shape[1:])}; resize them"
        )
    if images_NCHW.dtype != torch.uint8 and not images_NCHW.is_floating_point():
        raise InputError(f"{split} images: expected uint8 or floats, got {images_NCHW.dtype}; convert them")
    if images_NCHW.is_floating_point():
        check_finite(images_NCHW, f"{split} images")


def check_finite(tensor: Tensor, name: str) -> None:
    """Refuse NaN and infinity.

    Raises:
        InputError: naming the first bad example.
    """
    if torch.isfinite(tensor.sum()):  # cheap, and enough: a bad value would show; a sum that overflows is looked into
        return
    bad = ~torch.isfinite(tensor.flatten(1) if tensor.dim() > 1 else tensor.unsqueeze(1)).all(1)
    if bad.any():
        first = int(bad.nonzero()[0])
        raise InputError(f"{name}: expected finite numbers, got NaN or infinity in example {first}; remove or mend it")


def check_labels(labels_N: Tensor, num_classes: int, split: str, examples: int) -> None:
    """Refuse labels outside 0 .. num_classes - 1 and a number of labels other than the number of examples.

    Raises:
        InputError: naming the first bad example.
    """
    if labels_N.shape != (examples,):
        raise InputError(f"{split} labels: expected {examples}, one an image, got {list(labels_N.shape)}; align them")
    if labels_N.is_floating_point():
        raise InputError(f"{split} labels: expected integers, got {labels_N.dtype}; convert them with .long()")
    outside = (labels_N < 0) | (labels_N >= num_classes)
    if outside.any():
        first = int(outside.nonzero()[0])
        raise InputError(
            f"{split} labels: expected 0..{num_classes - 1}, got {int(labels_N[first])} in example {first}; "
            "mend the label or set num_classes"
        )


def content_hash(*tensors: Tensor) -> str:
    """SHA-256 over shapes, dtypes and values, 16 hexadecimal digits: the data's identity in a run folder."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        if tensor.numel():
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
