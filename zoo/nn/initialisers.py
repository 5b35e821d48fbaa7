"""Initialisers: LeCun, Glorot and He, each uniform and normal, and orthogonal, with the gain of the activation.

Weights get variance gain^2 / fan. Legend: fan_in = inputs a unit, fan_out = outputs an input reaches.
"""

import math
from collections.abc import Callable

from torch import Tensor, nn

from zoo.errors import InputError

Initialiser = Callable[[Tensor, float], Tensor]

# sqrt(1 / E[f(z)^2]) for z ~ N(0, 1): the gain that keeps the second moment through the activation f.
GAINS = {nn.GELU: 1.5335, nn.SiLU: 1.6765, nn.Mish: 1.4877, nn.ELU: 1.2453}


def gain_of(activation: nn.Module | None) -> float:
    """Gain that an activation calls for: He's sqrt(2) for ReLU, 5/3 for tanh as torch has it, 1 for none.

    >>> round(gain_of(nn.ReLU()) ** 2, 6)
    2.0
    """
    if activation is None or isinstance(activation, nn.Identity):
        return 1.0
    if isinstance(activation, nn.LeakyReLU):
        return nn.init.calculate_gain("leaky_relu", activation.negative_slope)
    if isinstance(activation, nn.PReLU):
        return nn.init.calculate_gain("leaky_relu", float(activation.weight.mean()))
    named = {nn.ReLU: "relu", nn.Tanh: "tanh", nn.Hardtanh: "tanh", nn.Sigmoid: "sigmoid", nn.SELU: "selu"}
    if type(activation) in named:
        return nn.init.calculate_gain(named[type(activation)])
    return GAINS.get(type(activation), 1.0)


def lecun_normal_(weight: Tensor, gain: float = 1.0) -> Tensor:
    """N(0, gain^2 / fan_in). LeCun et al. (1998)."""
    return nn.init.normal_(weight, 0.0, gain / math.sqrt(fans(weight)[0]))


def lecun_uniform_(weight: Tensor, gain: float = 1.0) -> Tensor:
    """U(-b, b), b = gain sqrt(3 / fan_in)."""
    bound = gain * math.sqrt(3 / fans(weight)[0])
    return nn.init.uniform_(weight, -bound, bound)


def glorot_normal_(weight: Tensor, gain: float = 1.0) -> Tensor:
    """N(0, 2 gain^2 / (fan_in + fan_out)). Glorot and Bengio (2010)."""
    return nn.init.xavier_normal_(weight, gain)


def glorot_uniform_(weight: Tensor, gain: float = 1.0) -> Tensor:
    """U(-b, b), b = gain sqrt(6 / (fan_in + fan_out))."""
    return nn.init.xavier_uniform_(weight, gain)


def he_normal_(weight: Tensor, gain: float = math.sqrt(2)) -> Tensor:
    """N(0, gain^2 / fan_out): keeps the variance of the gradient on its way back. He et al. (2015), eq. 14."""
    return nn.init.normal_(weight, 0.0, gain / math.sqrt(fans(weight)[1]))


def he_uniform_(weight: Tensor, gain: float = math.sqrt(2)) -> Tensor:
    """U(-b, b), b = gain sqrt(3 / fan_out)."""
    bound = gain * math.sqrt(3 / fans(weight)[1])
    return nn.init.uniform_(weight, -bound, bound)


def orthogonal_(weight: Tensor, gain: float = 1.0) -> Tensor:
    """gain times a matrix with orthonormal rows or columns. Saxe et al. (2014)."""
    return nn.init.orthogonal_(weight, gain)


def fans(weight: Tensor) -> tuple[int, int]:
    """fan_in and fan_out of a weight [out, in, *kernel].

    Raises:
        InputError: a vector has no fans.
    """
    if weight.dim() < 2:
        raise InputError(f"initialiser: expected a weight of 2 or more dimensions, got {tuple(weight.shape)}; skip it")
    field = math.prod(weight.shape[2:])
    return weight.shape[1] * field, weight.shape[0] * field


def initialise_(net: nn.Module, initialiser: Initialiser, activation: nn.Module | None = None) -> nn.Module:
    """Initialise every linear and convolutional weight of `net` for `activation`, biases to zero; returns the net."""
    gain = gain_of(activation)
    for layer in net.modules():
        if isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            initialiser(layer.weight, gain)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return net
