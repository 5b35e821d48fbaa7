"""Sounds on a page, and as files beside it."""

import base64
import io
import wave
from html import escape

import torch
from torch import Tensor

from zoo.reports import Figure


def wav_bytes(samples_S: Tensor, rate: int) -> bytes:
    """A sound in -1..1 as a wav file of 16 bits.

    >>> wav_bytes(torch.zeros(4), 8000)[:4]
    b'RIFF'
    """
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples_S.clamp(-1, 1).mul(32767).round().to(torch.int16).numpy().astype("<i2").tobytes())
    return buffer.getvalue()


def players(sounds: dict[str, tuple[str, Tensor]], rate: int, caption: str) -> Figure:
    """A player for each sound; the files are written beside the page.

    Args:
        sounds: text -> (name of the file, samples).
        rate: samples a second.
        caption: a sentence under them.
    """
    files = {file: wav_bytes(samples_S, rate) for file, samples_S in sounds.values()}
    rows = [
        f'<p>{escape(text)} <audio controls preload="none" src="data:audio/wav;base64,'
        f'{base64.b64encode(files[file]).decode()}"></audio> <small>{escape(file)}</small></p>'
        for text, (file, _) in sounds.items()
    ]
    return Figure("".join(rows), caption, files=files)
