"""A sound file of any length in windows, in constant memory.

A window ends where it is quietest, in silence between words where there is any, so that no word is cut and none is
heard twice. Legend: S = samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tasks.speech.audio import Audio, Sums, cut_off, opened, resampled
from zoo.errors import InputError

BLOCK = 1 << 16  # samples read at once
SHORTEST, LONGEST = 4.0, 12.0  # seconds
QUIET = 0.2  # seconds whose power is looked at


@dataclass(frozen=True)
class Window:
    """A stretch of sound, and where it begins in the file, in seconds."""

    audio: Audio
    start: float


def checked_seconds(path: str | Path) -> float:
    """Length of a file that was read through and found good, in seconds.

    Raises:
        InputError: what `read_audio` refuses; nothing has been recognised by then.
    """
    sums, name = Sums(), str(path)
    with opened(path) as file:
        promised, rate = file.frames, file.samplerate
        for samples_S in _blocks(file):
            sums.add(samples_S, name)
    # mp3 tells about how many there are.
    if sums.count < promised and not name.lower().endswith(".mp3"):
        raise cut_off(path, f"{sums.count} of {promised} samples")
    sums.check(name)
    return sums.count / rate


def sound_blocks(path: str | Path) -> Iterator[Audio]:
    """The file as it is read, about two seconds at a time, its channels averaged."""
    with opened(path) as file:
        for samples_S in _blocks(file):
            yield Audio(samples_S, file.samplerate)


def _blocks(file: object) -> Iterator[Tensor]:
    while len(values := file.read(BLOCK, dtype="float32", always_2d=True)):
        yield torch.from_numpy(values).mean(1)


def windows(path: str | Path, rate: int) -> Iterator[Window]:
    """Windows of a file at a sample rate; those without any sound are left out.

    Args:
        path: of the file.
        rate: samples a second.

    Raises:
        InputError: the file cannot be read.
    """
    rest_S, start, own = torch.zeros(0), 0, rate
    for block in sound_blocks(path):
        own, rest_S = block.rate, torch.cat([rest_S, block.samples_S])
        while len(rest_S) >= LONGEST * own:
            cut = quietest(rest_S[: int(LONGEST * own)], own)
            yield from _window(rest_S[:cut], own, start, rate)
            rest_S, start = rest_S[cut:], start + cut
    yield from _window(rest_S, own, start, rate)


def _window(samples_S: Tensor, own: int, start: int, rate: int) -> Iterator[Window]:
    if len(samples_S) and samples_S.min() < samples_S.max():
        yield Window(resampled(Audio(samples_S, own), rate), start / own)


def quietest(samples_S: Tensor, rate: int) -> int:
    """The sample in the middle of the stretch with the least power, behind the first `SHORTEST` seconds.

    >>> sound = torch.ones(12 * 100); sound[700:720] = 0
    >>> quietest(sound, 100)
    710
    """
    width, first = max(1, int(QUIET * rate)), int(SHORTEST * rate)
    sums = torch.cat([torch.zeros(1, dtype=torch.float64), samples_S[first:].double().square().cumsum(0)])
    if len(sums) <= width:
        raise InputError(f"window: expected more than {SHORTEST + QUIET} seconds, got {len(samples_S) / rate}")
    return first + int((sums[width:] - sums[:-width]).argmin()) + width // 2
