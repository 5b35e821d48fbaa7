"""Pictures inside the page: PNGs as data URIs, overlays of a map on an image, grids with captions."""

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from zoo.reports.colours import SIGNED, coloured
from zoo.reports.figure import Figure, Table


def png_bytes(rgb_HW3: np.ndarray) -> bytes:
    """Bytes [H, W, 3] (or grey [H, W]) as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb_HW3)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def png_data(rgb_HW3: np.ndarray) -> str:
    """The PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(rgb_HW3)).decode()


def rgb(image_CHW: np.ndarray) -> np.ndarray:
    """Floats 0..1, one or three channels, as bytes [H, W, 3]."""
    image = np.clip(np.moveaxis(image_CHW, 0, -1), 0, 1)
    return (255 * (image if image.shape[2] == 3 else image[:, :, :1].repeat(3, 2))).round().astype(np.uint8)


def overlay(image_CHW: np.ndarray, map_HW: np.ndarray, signed: bool = True, strength: float = 0.85) -> np.ndarray:
    """A map as colour over the greyed image: red speaks for the answer, blue against; bytes [H, W, 3].

    Values beyond the 99th percentile of |map| share one colour, so that a single pixel does not hide the others.
    """
    grey = rgb(image_CHW).mean(2, keepdims=True)
    top = float(np.percentile(np.abs(map_HW), 99)) or float(np.abs(map_HW).max()) or 1.0
    share = np.clip(map_HW / top, -1, 1)
    colour = coloured((share + 1) / 2, SIGNED) if signed else coloured(np.abs(share))
    weight = strength * np.abs(share)[:, :, None] ** 0.6
    return (weight * colour + (1 - weight) * grey).round().astype(np.uint8)


def image_grid(rows: list[list[tuple[np.ndarray, str]]], side: int = 96, caption: str = "") -> Figure:
    """Rows of (bytes [H, W, 3], text) as pictures of one size, pixels kept sharp."""
    cells = []
    for row in rows:
        pictures = "".join(
            f'<div><img src="{png_data(image)}" width="{side}" height="{side}" alt="{escape(text)}">'
            f"<small>{escape(text)}</small></div>"
            for image, text in row
        )
        cells.append(f'<div class="pictures">{pictures}</div>')
    table = Table(["row", "picture"], [[i, text] for i, row in enumerate(rows) for _, text in row])
    return Figure("".join(cells), caption, table)
