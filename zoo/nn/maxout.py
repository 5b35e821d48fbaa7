"""Maxout: the activation learns its own convex shape. Goodfellow et al. (2013)."""

from torch import Tensor, nn

from zoo.errors import InputError


class Maxout(nn.Module):
    """a_c = max over p of z_{c * pieces + p}: the channels (dimension 1) are divided by `pieces`.

    The layer before it gives `pieces` times the channels; `MaxoutLinear` and `MaxoutConv2d` hold both and are
    drop-ins for `Linear` and `Conv2d` with an activation behind.

    Raises:
        InputError: the channels cannot be divided.

    >>> import torch
    >>> Maxout(2)(torch.tensor([[1.0, 3.0, -2.0, -5.0]])).tolist()
    [[3.0, -2.0]]
    """

    is_activation = True

    def __init__(self, pieces: int = 2):
        super().__init__()
        if pieces < 1:
            raise InputError(f"Maxout.pieces: expected 1 or more, got {pieces}; 2 is usual")
        self.pieces = pieces

    def forward(self, z: Tensor) -> Tensor:
        """[N, C * pieces, ...] -> [N, C, ...]."""
        if z.shape[1] % self.pieces:
            raise InputError(
                f"Maxout: expected channels divisible by {self.pieces}, got {z.shape[1]}; widen the layer before it"
            )
        return z.unflatten(1, (-1, self.pieces)).amax(2)


class MaxoutLinear(nn.Sequential):
    """Linear to `pieces` times the outputs, then maxout: [N, in_features] -> [N, out_features]."""

    def __init__(self, in_features: int, out_features: int, pieces: int = 2, bias: bool = True):
        super().__init__(nn.Linear(in_features, out_features * pieces, bias=bias), Maxout(pieces))


class MaxoutConv2d(nn.Sequential):
    """Conv2d to `pieces` times the channels, then maxout; further arguments are Conv2d's."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, pieces: int = 2, **options):
        super().__init__(nn.Conv2d(in_channels, out_channels * pieces, kernel_size, **options), Maxout(pieces))
