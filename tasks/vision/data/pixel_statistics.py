"""Pixels as numbers: bytes to floats, mean and deviation a channel."""

import torch
from torch import Tensor


def as_floats(images: Tensor) -> Tensor:
    """Bytes 0..255 as float32 0..1; floats as they are."""
    return images.float().div_(255) if images.dtype == torch.uint8 else images


def mean_and_std(images_NCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [C] and standard deviation [C] of the pixels as floats in 0..1; a constant channel deviates by 1e-6.

    >>> mean_and_std(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1))[0]
    tensor([0.5000])
    """
    if images_NCHW.dtype != torch.uint8:
        return images_NCHW.mean((0, 2, 3)), images_NCHW.std((0, 2, 3)).clamp(min=1e-6)
    # From counts of the 256 values: exact, and CIFAR as floats would take 600 MB for a moment.
    counts_CV = torch.stack([channel.flatten().bincount(minlength=256) for channel in images_NCHW.unbind(1)]).double()
    values_V, total = torch.arange(256).double() / 255, counts_CV[0].sum()
    mean_C = counts_CV @ values_V / total
    square_C = (counts_CV * (values_V - mean_C[:, None]).square()).sum(1)
    return mean_C.float(), (square_C / (total - 1)).sqrt().float().clamp(min=1e-6)
