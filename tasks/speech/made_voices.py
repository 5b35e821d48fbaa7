"""Made speech with exact times of words and phonemes, by eSpeak NG's library; no substitute for recordings in results.

Legend: S = samples.
"""

import ctypes
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.errors import InputError

# speak_lib.h of eSpeak NG 1.51
RETRIEVAL, PHONEME_EVENTS, UTF8 = 1, 1, 1
LIST_END, WORD, PHONEME = 0, 1, 7
RATE, PITCH, RANGE = 1, 3, 4


@dataclass(frozen=True)
class Unit:
    """A word (its place in the text) or a phoneme (its name), and when it begins, in seconds."""

    name: str
    start: float


@dataclass(frozen=True)
class Voice:
    """Who speaks.

    Args:
        name: of a language or a variant, such as en, en-us, en-gb-scotland, en+f3, en+m7.
        words_per_minute: 80 to 450.
        pitch: 0 to 100.
        pitch_range: 0 (monotone) to 100.
    """

    name: str = "en"
    words_per_minute: int = 160
    pitch: int = 50
    pitch_range: int = 50


@dataclass(frozen=True)
class Spoken:
    """Sound in -1..1, its sample rate, and where words and phonemes begin in it."""

    samples_S: Tensor
    rate: int
    words: list[Unit] = field(default_factory=list)
    phonemes: list[Unit] = field(default_factory=list)


class _Name(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@cache
def _loader() -> Any:
    try:
        import espeakng_loader
    except ImportError as error:
        raise InputError(
            "made voices: expected the package espeakng-loader, got none; pip install espeakng-loader"
        ) from error
    return espeakng_loader


@dataclass(frozen=True)
class Synthesiser:
    """eSpeak NG's library, opened, and the rate of its samples."""

    library: Any
    rate: int

    @classmethod
    def opened(cls, path: str) -> "Synthesiser":
        """The library at this path."""
        library = ctypes.CDLL(path)
        # The library's own default is a path of the machine that it was built on.
        rate = library.espeak_Initialize(RETRIEVAL, 0, _loader().get_data_path().encode(), PHONEME_EVENTS)
        if rate <= 0:
            raise InputError("made voices: expected eSpeak NG to start, got an error; install espeakng-loader anew")
        return cls(library, rate)

    @classmethod
    def anew(cls) -> "Synthesiser":
        """A synthesiser in which nothing has been said yet: the same calls in the same order give the same samples.

        The library carries the phases of its waves from call to call, and sets no function back: a copy of it (0.7 MB)
        is loaded. Voices with breath, such as Reed, draw from C's rand() and differ all the same.
        """
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            made = cls.opened(shutil.copy(_loader().get_library_path(), folder))
        made.library.espeak_ng_SetRandSeed(1)  # else seconds since 1970
        return made


@cache
def _shared() -> Synthesiser:
    return Synthesiser.opened(_loader().get_library_path())


def spoken(text: str, voice: Voice = Voice(), synthesiser: Synthesiser | None = None) -> Spoken:
    """A text spoken by a made voice.

    Args:
        text: of words.
        voice: who speaks.
        synthesiser: by default one for the whole process, whose samples differ a little from call to call.

    Raises:
        InputError: a voice that does not exist, or nothing to speak.

    >>> said = spoken("one two")
    >>> len(said.words), said.rate
    (2, 22050)
    """
    if not text.strip():
        raise InputError(f"made voices: expected text to speak, got {text!r}; give words")
    synthesiser = synthesiser or _shared()
    library, rate = synthesiser.library, synthesiser.rate
    if library.espeak_SetVoiceByName(voice.name.encode()) != 0:
        raise InputError(f"voice: expected one of eSpeak NG's, such as en, en-us, en+f3, got {voice.name!r}; mend it")
    settings = ((RATE, voice.words_per_minute), (PITCH, voice.pitch), (RANGE, voice.pitch_range))
    for parameter, value in settings:
        library.espeak_SetParameter(parameter, int(value), 0)
    pieces, words, phonemes = [], [], []

    def heard(wave: Any, count: int, events: Any) -> int:
        if wave and count:
            pieces.append(np.ctypeslib.as_array(wave, (count,)).copy())
        at = 0
        while events[at].type != LIST_END:
            event = events[at]
            if event.type == WORD:
                start = event.text_position - 1  # counted from 1
                words.append(Unit(text[start : start + event.length], event.sample / rate))
            elif event.type == PHONEME:
                phonemes.append(Unit(event.id.string.decode("utf8", "replace"), event.sample / rate))
            at += 1
        return 0

    callback = _CALLBACK(heard)  # kept alive until the library is done with it
    library.espeak_SetSynthCallback(callback)
    encoded = text.encode() + b"\0"
    library.espeak_Synth(encoded, len(encoded), 0, 1, 0, UTF8, None, None)
    library.espeak_Synchronize()
    if not pieces:
        raise InputError(f"made voices: expected text that has a sound, got {text!r}; give words")
    return Spoken(torch.from_numpy(np.concatenate(pieces)).float() / 32768, rate, words, phonemes)
