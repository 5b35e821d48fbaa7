"""Frames written one by one into a GIF (pillow) or an mp4 (the extra `video`), which appears whole or not at all."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.errors import InputError

SUFFIXES = (".mp4", ".gif")
GIF_WIDTH, GIF_RATE = 400, 25  # a GIF compresses badly: it is made smaller, and no reader shows more than 50 a second


class Gif:
    """Collects frames with 256 colours each, every k-th of those given so that at most `most_rate` remain a second.

    Args:
        rate: frames a second at which they are given.
        width: frames wider than this are made smaller.
        most_rate: of the frames kept.
    """

    def __init__(self, rate: float, width: int = GIF_WIDTH, most_rate: float = GIF_RATE):
        self.every = max(1, round(rate / most_rate))
        self.duration = 1000 * self.every / rate
        self._width, self._given, self._frames = width, 0, []

    def add(self, frame_HW3: np.ndarray) -> None:
        """Take one frame."""
        if self._given % self.every == 0:
            self._frames.append(smaller(Image.fromarray(frame_HW3), self._width).quantize(256))
        self._given += 1

    def bytes(self) -> bytes:
        """The file; it starts again after its last frame."""
        buffer, (first, *rest) = io.BytesIO(), self._frames
        first.save(buffer, "GIF", save_all=True, append_images=rest, duration=self.duration, loop=0, disposal=1)
        return buffer.getvalue()


def smaller(image: Image.Image, width: int) -> Image.Image:
    """At most `width` pixels wide, in its proportions."""
    if image.width <= width:
        return image
    return image.resize((width, round(image.height * width / image.width)), Image.Resampling.BOX)


def refuse_path(path: Path) -> None:
    """Say before anything is played what would fail after it.

    Raises:
        InputError: another suffix than .mp4 or .gif, a folder that is not there, or no ffmpeg for an mp4.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"--record: expected a file {' or '.join('*' + s for s in SUFFIXES)}, got {path}; mend its end"
        )
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(
            f"--record: expected a folder that can be written, got {path.parent}; make it, or take another"
        )
    if path.suffix.lower() == ".mp4":
        try:
            import imageio_ffmpeg  # noqa: F401
        except ModuleNotFoundError as error:
            raise InputError(
                '--record: expected ffmpeg for an mp4, got none; pip install "gradient-zoo[video]", or take a .gif'
            ) from error


@contextmanager
def video(path: Path, rate: float) -> Iterator:
    """An object with `add(frame_HW3)`; the file is at `path` when the block ends, and nowhere if it ends by an error.

    Args:
        path: *.mp4 or *.gif.
        rate: frames a second.

    >>> with video(Path("/tmp/none.gif"), 30) as film:
    ...     film.add(np.zeros((4, 4, 3), np.uint8))
    """
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix.lower()}")
    try:
        if path.suffix.lower() == ".gif":
            film = Gif(rate)
            yield film
            partial.write_bytes(film.bytes())
        else:
            with _mp4(partial, rate) as film:
                yield film
        os.replace(partial, path)
    except OSError as error:
        raise InputError(
            f"--record: expected to write {path}, got {error}; free disk space or mend permissions"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _mp4(path: Path, rate: float) -> Iterator:
    import imageio_ffmpeg

    film = Mp4(path, rate, imageio_ffmpeg)
    try:
        yield film
    finally:
        film.close()


class Mp4:
    """H.264 in 4:2:0, which every browser plays; it wants even sides, so an odd one loses its last line."""

    def __init__(self, path: Path, rate: float, ffmpeg):
        self._path, self._rate, self._ffmpeg, self._writer = path, rate, ffmpeg, None

    def add(self, frame_HW3: np.ndarray) -> None:
        """Take one frame."""
        height, width = (side - side % 2 for side in frame_HW3.shape[:2])
        if self._writer is None:
            self._writer = self._ffmpeg.write_frames(
                str(self._path), (width, height), fps=self._rate, macro_block_size=2
            )
            self._writer.send(None)
        self._writer.send(np.ascontiguousarray(frame_HW3[:height, :width]))

    def close(self) -> None:
        """Let ffmpeg finish."""
        if self._writer is not None:
            self._writer.close()
