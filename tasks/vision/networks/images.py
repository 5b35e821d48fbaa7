"""The check that every image network makes of its input."""

from torch import Tensor

from zoo.errors import InputError


def checked(images_NCHW: Tensor, channels: int, smallest: int = 1) -> Tensor:
    """The images, if they are [N, channels, H, W] with H, W >= smallest.

    Raises:
        InputError: they are not.
    """
    if images_NCHW.dim() != 4 or images_NCHW.shape[1] != channels or min(images_NCHW.shape[2:]) < smallest:
        raise InputError(
            f"images: expected [N, {channels}, H, W] with H, W >= {smallest}, got {list(images_NCHW.shape)}; "
            "set the net's in_channels or choose another net"
        )
    return images_NCHW
