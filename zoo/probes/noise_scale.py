"""Signal and noise of a step's gradient, from the norms of its parts: micro-batches, ranks or examples.

McCandlish et al. (2018), "An empirical model of large-batch training", appendix A, in one form for all parts.
Legend: B = examples of a batch.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from zoo.errors import InputError
from zoo.probes.batch_gradients import GradientNoise


def noise_of_shares(share_squares: Tensor, whole_square: Tensor, shares: int | Tensor) -> GradientNoise:
    """Signal and noise of a gradient g = sum_k c_k of K shares, equally distributed and independent of each other.

        noise = (K sum_k |c_k|^2 - |g|^2) / (K - 1);  signal = |g|^2 - noise

    Unbiased, and the same numbers as `gradient_noise` finds from the K gradients K c_k themselves.

    Args:
        share_squares: sum_k |c_k|^2; of the whole gradient or of any part of it, such as a layer's.
        whole_square: |g|^2 of the same part.
        shares: K. Micro-batches times ranks, or examples.

    Raises:
        InputError: a single share, whose spread says nothing.

    >>> found = noise_of_shares(torch.tensor(1.0**2 + 2.0**2), torch.tensor(3.0**2), 2)
    >>> float(found.noise), float(found.signal)
    (1.0, 8.0)
    """
    if shares < 2:
        raise InputError(f"noise: expected two micro-batches, ranks or examples at least, got {int(shares)}; add some")
    noise = (shares * share_squares - whole_square) / (shares - 1)
    return GradientNoise(whole_square - noise, noise)


def noise_of_examples(norms: Mapping[str, Tensor], gradient: Mapping[str, Tensor]) -> dict[str, GradientNoise]:
    """Parameter -> signal and noise of the mean gradient of a batch; "" -> those of all parameters together.

    In units of the batch: `noise_scale` times B is McCandlish's B_simple, in examples.

    Args:
        norms: of every example's gradient, [B] each, as `example_gradient_norms` returns them.
        gradient: of the mean loss, of the same parameters.

    >>> found = noise_of_examples({"w": torch.tensor([2.0, 4.0])}, {"w": torch.tensor([3.0])})
    >>> float(found[""].noise), float(found["w"].signal)
    (1.0, 8.0)
    """
    examples = len(next(iter(norms.values())))
    shares = {name: norm_B.square().sum() / examples**2 for name, norm_B in norms.items()}
    wholes = {name: torch.linalg.vector_norm(gradient[name]).square() for name in norms}
    found = {name: noise_of_shares(shares[name], wholes[name], examples) for name in norms}
    total = noise_of_shares(sum(shares.values()), sum(wholes.values()), examples)
    return {"": total, **found}
