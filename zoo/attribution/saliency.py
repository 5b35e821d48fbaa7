"""Saliency: the gradient itself. Simonyan et al. (2014)."""

from torch import Tensor

from zoo.attribution.gradients import Score, reading, slope


@reading
def saliency(score: Score, inputs: Tensor, signed: bool = False) -> Tensor:
    """|d score / d x|, or with its sign.

    >>> import torch
    >>> saliency(lambda x: -2 * x[:, 0], torch.ones(1, 2)).tolist()
    [[2.0, 0.0]]
    """
    found = slope(score, inputs)
    return found if signed else found.abs()


@reading
def input_x_gradient(score: Score, inputs: Tensor) -> Tensor:
    """x * d score / d x: the first-order share of each input, exact for a linear score. Shrikumar et al. (2017)."""
    return inputs * slope(score, inputs)
