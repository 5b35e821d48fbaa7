"""Normalisation by injection: callables channels -> module, for inputs [N, C, H, W].

Every network takes `norm`; torch.nn.BatchNorm2d fits as it is. Weight norm changes the layer, not its output: it is
`weight_norm_(net)`, applied to a finished network whose `norm` is `no_norm`.
"""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from zoo.errors import InputError


class ChannelLayerNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each position (Ba et al. 2016, as in ConvNeXt)."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        return super().forward(x_NCHW.movedim(1, -1)).movedim(-1, 1)


class ChannelRMSNorm(nn.RMSNorm):
    """Root-mean-square normalisation over the channels of each position (Zhang and Sennrich 2019)."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        return super().forward(x_NCHW.movedim(1, -1)).movedim(-1, 1)


def batch_norm(channels: int) -> nn.Module:
    """Batch normalisation (Ioffe and Szegedy 2015)."""
    return nn.BatchNorm2d(channels)


def layer_norm(channels: int) -> nn.Module:
    """Layer normalisation over channels."""
    return ChannelLayerNorm(channels)


def rms_norm(channels: int) -> nn.Module:
    """Root-mean-square normalisation over channels."""
    return ChannelRMSNorm(channels, eps=1e-6)


def group_norm(channels: int, groups: int = 8) -> nn.Module:
    """Group normalisation (Wu and He 2018); with fewer channels than groups, the largest divisor that fits."""
    fitting = next(g for g in range(min(groups, channels), 0, -1) if channels % g == 0)
    return nn.GroupNorm(fitting, channels)


def no_norm(channels: int) -> nn.Module:
    """None: passes its input on."""
    return nn.Identity()


def has_no_effect(norm: nn.Module) -> bool:
    """Whether a module that an injected norm made only passes its input on; the layer before it then needs a bias."""
    return isinstance(norm, nn.Identity)


def weight_norm_(net: nn.Module) -> nn.Module:
    """w = g v / ||v|| for every linear and convolutional layer, in place (Salimans and Kingma 2016).

    Raises:
        InputError: the net has no such layer.
    """
    layers = [m for m in net.modules() if isinstance(m, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d))]
    if not layers:
        raise InputError("weight_norm_: expected a net with linear or convolutional layers, got none; check the net")
    for layer in layers:
        weight_norm(layer)
    return net
