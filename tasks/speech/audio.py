"""Sound files as tensors: one channel, one sample rate, checked.

Legend: S = samples.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.errors import InputError

CLIPPED = 0.999  # of full scale
LARGEST_SHARE_CLIPPED = 0.02
UNKNOWN_SIZE = 0x7FFFF000  # and above: written by programs that send sound before they know its length


@dataclass(frozen=True)
class Audio:
    """Samples in -1..1 of one channel, [S], and how many there are a second."""

    samples_S: Tensor
    rate: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples_S) / self.rate


def read_audio(path: str | Path, rate: int | None = None) -> Audio:
    """A wav, flac, ogg or mp3 file, its channels averaged, resampled to `rate`.

    Args:
        path: of the file.
        rate: samples a second; None keeps the file's own.

    Raises:
        InputError: not an audio file, shorter than its header says, empty, silent or clipped.
    """
    with opened(path) as file:
        promised, own_rate = file.frames, file.samplerate
        values = file.read(dtype="float32", always_2d=True)
    if len(values) < promised:
        raise cut_off(path, f"{len(values)} of {promised} samples")
    samples_S = torch.from_numpy(values).mean(1)
    check_samples(samples_S, str(path))
    return resampled(Audio(samples_S, own_rate), rate) if rate else Audio(samples_S, own_rate)


@contextmanager
def opened(path: str | Path) -> Iterator[Any]:
    """The file as a soundfile.SoundFile; whatever cannot be read in it is an InputError.

    Raises:
        InputError: soundfile is not there, no audio file, a sample rate of 0, or a wav shorter than its header says.
    """
    try:
        import soundfile  # torchaudio.load wants torchcodec and FFmpeg
    except (ImportError, OSError) as error:  # OSError: its library of the system is missing
        raise InputError("sound files: expected the package soundfile, got none; pip install soundfile") from error
    try:
        with soundfile.SoundFile(str(path)) as file:
            if missing := bytes_missing(Path(path)):
                raise cut_off(path, f"{missing:,} bytes fewer")
            yield file
    except (soundfile.SoundFileError, RuntimeError, OSError, TypeError) as error:
        raise InputError(
            f"{path}: expected a wav, flac, ogg or mp3 file, got {_reason(path, error)}; convert or remove it"
        ) from error


def _reason(path: str | Path, error: Exception) -> str:
    if not Path(path).exists():
        return "no such file"
    if Path(path).is_dir():
        return "a folder"
    with Path(path).open("rb") as file:
        head = file.read(64)
    at = head.find(b"fmt ")
    if head[:4] == b"RIFF" and at > 0 and head[at + 12 : at + 16] == bytes(4):
        return "a sample rate of 0"
    return " ".join(str(error).split()).rpartition(": ")[2] or "another one"


def cut_off(path: str | Path, got: str) -> InputError:
    """The complaint about a file that ends too early."""
    return InputError(f"{path}: expected what its header says, got {got}; it is cut off, fetch it again")


def bytes_missing(path: Path) -> int:
    """How many bytes a wav file has fewer than its header says, which libsndfile passes over in silence."""
    with path.open("rb") as file:
        if file.read(12)[:4] != b"RIFF":
            return 0
        while len(head := file.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                return max(size - (path.stat().st_size - file.tell()), 0) if size < UNKNOWN_SIZE else 0
            file.seek(size + size % 2, os.SEEK_CUR)
    return 0


def promised_seconds(path: str | Path) -> float:
    """Length that the file's header tells; 0 where it has none, which `read_audio` explains."""
    try:
        import soundfile

        about = soundfile.info(str(path))
        return about.frames / about.samplerate if about.samplerate > 0 else 0.0
    except (ImportError, OSError, RuntimeError, TypeError):
        return 0.0


def check_samples(samples_S: Tensor, name: str) -> None:
    """Refuse what nothing can be recognised in.

    Raises:
        InputError: no samples, all of one value, NaN, or more than 2 % at full scale.
    """
    sums = Sums()
    if len(samples_S):
        sums.add(samples_S, name)
    sums.check(name)


@dataclass
class Sums:
    """What is known about samples that came in pieces."""

    count: int = 0
    clipped: int = 0
    lowest: float = math.inf
    highest: float = -math.inf

    def add(self, samples_S: Tensor, name: str) -> None:
        """Take the next piece into account.

        Raises:
            InputError: NaN or infinity in it.
        """
        if not samples_S.isfinite().all():
            raise InputError(f"{name}: expected finite samples, got NaN or infinity; mend or remove it")
        self.count += len(samples_S)
        self.clipped += int((samples_S.abs() >= CLIPPED).sum())
        self.lowest, self.highest = min(self.lowest, float(samples_S.min())), max(self.highest, float(samples_S.max()))

    def check(self, name: str) -> None:
        """Refuse what nothing can be recognised in; see `check_samples`."""
        if not self.count:
            raise InputError(f"{name}: expected sound, got 0 samples; remove it")
        if self.lowest == self.highest:
            raise InputError(f"{name}: expected sound, got silence throughout; remove it")
        share = self.clipped / self.count
        if share > LARGEST_SHARE_CLIPPED:
            raise InputError(
                f"{name}: expected at most {LARGEST_SHARE_CLIPPED:.0%} of the samples at full scale, got {share:.0%}; "
                "it is clipped, record it again more softly"
            )


def resampled(audio: Audio, rate: int) -> Audio:
    """The same sound at another sample rate, by windowed sinc interpolation.

    Raises:
        InputError: a rate below 1.
    """
    if rate < 1 or audio.rate < 1:
        raise InputError(f"sample rate: expected 1 or more, got {min(rate, audio.rate)}; 16000 is usual for speech")
    if rate == audio.rate:
        return audio
    from torchaudio.functional import resample

    return Audio(resample(audio.samples_S, audio.rate, rate), rate)
