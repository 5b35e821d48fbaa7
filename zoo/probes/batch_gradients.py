"""How good the gradient of a batch is: its signal against its noise, from the gradients of the batch's chunks.

McCandlish et al. (2018), "An empirical model of large-batch training", with unbiased estimates of both parts.

Legend: K = chunks of one batch, equally distributed and independent of each other; P = parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import InputError


@dataclass(frozen=True)
class GradientNoise:
    """Signal and noise of a batch's gradient g = G + noise, G being the gradient of infinitely many such batches.

    Attributes:
        signal: unbiased estimate of |G|^2; below zero by chance where there is next to no signal.
        noise: unbiased estimate of tr Cov(g) = E|g - G|^2.
    """

    signal: Tensor
    noise: Tensor

    @property
    def ratio(self) -> Tensor:
        """|G|^2 / E|g - G|^2, the signal-to-noise ratio of the batch's gradient; 0 where no signal shows."""
        return self.signal.clamp_min(0) / self.noise

    @property
    def noise_scale(self) -> Tensor:
        """Batches as large as this one whose mean has a signal-to-noise ratio of 1: B_simple of the paper in units of
        the batch. Infinite where no signal shows."""
        return 1 / self.ratio

    def cosine(self, batches: float = float("inf")) -> Tensor:
        """Expected cosine between g and the mean gradient of `batches` other batches; by default G itself.

        |G|^2 / sqrt((|G|^2 + noise) (|G|^2 + noise / batches)), close where the noise has many directions.
        """
        signal = self.signal.clamp_min(0)
        lengths = (signal + self.noise) * (signal + self.noise / batches)
        return torch.where(lengths > 0, signal / lengths.sqrt(), torch.zeros_like(signal))


def gradient_noise(gradients_KP: Tensor, weights_K: Tensor | None = None) -> GradientNoise:
    """Signal and noise of the mean of K chunk gradients.

    s^2 = sum_k |g_k - g|^2 / (K - 1);  noise = s^2 / K;  signal = |g|^2 - noise

    Args:
        gradients_KP: gradient of each chunk's mean loss.
        weights_K: shares of the chunks in the batch, such as their numbers of samples; equal by default. The batch's
            gradient is then the weighted mean, and each chunk counts as K times its contribution to it.

    Raises:
        InputError: fewer than two chunks, whose spread says nothing.

    >>> found = gradient_noise(torch.tensor([[2.0], [4.0]]))
    >>> float(found.noise), float(found.signal)
    (1.0, 8.0)
    """
    if gradients_KP.ndim != 2 or len(gradients_KP) < 2:
        raise InputError(
            f"gradients: expected [K, P] with two chunks or more, got {list(gradients_KP.shape)}; add some"
        )
    count = len(gradients_KP)
    if weights_K is not None:
        weights_K = weights_K.to(gradients_KP)
        gradients_KP = gradients_KP * (weights_K * (count / weights_K.sum()))[:, None]
    mean_P = gradients_KP.mean(0)
    noise = (gradients_KP - mean_P).square().sum() / ((count - 1) * count)
    return GradientNoise(mean_P.square().sum() - noise, noise)


def pooled(readings: Sequence[GradientNoise]) -> GradientNoise:
    """Means of signal and of noise over several batches: their ratio strays less than the mean of the ratios."""
    return GradientNoise(
        torch.stack([one.signal for one in readings]).mean(), torch.stack([one.noise for one in readings]).mean()
    )


def cosine_to_others(gradients_MP: Tensor) -> Tensor:
    """Cosine between each gradient and the mean of all others, [M]: the brute force beside `GradientNoise.cosine`.

    >>> cosine_to_others(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    tensor([0.7071, 0.7071, 0.0000])
    """
    others_MP = gradients_MP.sum(0) - gradients_MP
    return torch.nn.functional.cosine_similarity(gradients_MP, others_MP, dim=1)
