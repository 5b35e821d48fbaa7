"""Colour maps, as numpy: one for amounts (viridis), one for signed values (blue, white, red)."""

import numpy as np

# Nine stops of viridis (Smith and van der Walt, CC0), interpolated linearly.
VIRIDIS = np.array(
    [
        [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
        [31, 158, 137], [53, 183, 121], [110, 206, 88], [253, 231, 37],
    ],
    float,
)  # fmt: skip
SIGNED = np.array([[33, 102, 172], [146, 197, 222], [247, 247, 247], [244, 165, 130], [178, 24, 43]], float)


def coloured(shares: np.ndarray, stops: np.ndarray = VIRIDIS) -> np.ndarray:
    """Shares in 0..1 -> bytes [..., 3]; NaN becomes grey.

    >>> coloured(np.array([0.0, 1.0])).tolist()
    [[68, 1, 84], [253, 231, 37]]
    """
    places = np.nan_to_num(np.clip(shares, 0, 1)) * (len(stops) - 1)
    channels = [np.interp(places, np.arange(len(stops)), stops[:, c]) for c in range(3)]
    rgb = np.stack(channels, -1).round().astype(np.uint8)
    rgb[np.isnan(shares)] = 128
    return rgb


def hex_colour(rgb: np.ndarray) -> str:
    """Bytes [3] as #rrggbb."""
    return "#" + "".join(f"{int(c):02x}" for c in rgb)
