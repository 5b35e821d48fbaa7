"""SmoothGrad: the gradient averaged over noise. Smilkov et al. (2017)."""

import torch
from torch import Tensor

from zoo.attribution.gradients import Score, reading, slope
from zoo.errors import InputError


@reading
def smoothgrad(
    score: Score, inputs: Tensor, noise_level: float = 0.15, samples: int = 25, signed: bool = False, seed: int = 0
) -> Tensor:
    """mean over e ~ N(0, sigma^2) of d score / d x at x + e; its absolute value unless `signed`.

    Args:
        score: inputs [N, ...] -> [N].
        inputs: [N, ...].
        noise_level: sigma as a share of each example's range max - min; 0.1 to 0.2 in the paper.
        samples: how many draws; 50 at most pay off, says the paper.
        signed: keep the sign of the mean.
        seed: of the noise, from a generator of its own.

    Raises:
        InputError: no samples or a negative noise level.
    """
    if samples < 1 or noise_level < 0:
        raise InputError(
            f"smoothgrad: expected samples >= 1 and noise_level >= 0, got {samples} and {noise_level}; mend"
        )
    spread = inputs.flatten(1).amax(1) - inputs.flatten(1).amin(1)
    sigma = noise_level * spread.view(-1, *[1] * (inputs.dim() - 1))
    generator = torch.Generator(inputs.device).manual_seed(seed)
    total = torch.zeros_like(inputs)
    for _ in range(samples):
        noise = torch.randn(inputs.shape, generator=generator, dtype=inputs.dtype, device=inputs.device)
        total += slope(score, inputs + sigma * noise)
    mean = total / samples
    return mean if signed else mean.abs()
