"""Sound in and out: formats, rates, channels, and files that are refused in one line."""

import math

import numpy as np
import pytest
import soundfile
import torch

from tasks.speech.audio import Audio, read_audio, resampled
from zoo.errors import InputError


def tone(rate, hertz=440.0, seconds=0.5):
    return 0.5 * np.sin(2 * math.pi * hertz * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize(("name", "tolerance"), [("a.wav", 1e-4), ("a.flac", 1e-4), ("a.ogg", 0.05), ("a.mp3", 0.05)])
def test_every_format_gives_the_same_sound(tmp_path, name, tolerance):
    soundfile.write(tmp_path / name, tone(16000), 16000)
    audio = read_audio(tmp_path / name)
    assert audio.rate == 16000
    inner = slice(1000, 7000)
    assert np.abs(audio.samples_S.numpy()[inner] - tone(16000)[inner]).max() < tolerance


def test_channels_are_averaged(tmp_path):
    left, right = tone(8000), tone(8000, 700.0)
    soundfile.write(tmp_path / "two.wav", np.stack([left, right], 1), 8000)
    assert np.abs(read_audio(tmp_path / "two.wav").samples_S.numpy() - (left + right) / 2).max() < 1e-4


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
def test_resampling_keeps_a_tone(rate):
    found = resampled(Audio(torch.from_numpy(tone(rate)).float(), rate), 16000)
    expected = torch.from_numpy(tone(16000)).float()[: len(found.samples_S)]
    assert found.seconds == pytest.approx(0.5, abs=1e-3)
    assert (found.samples_S - expected)[400:-400].abs().max() < 0.01


def test_what_cannot_be_recognised_is_refused(tmp_path):
    (tmp_path / "text.wav").write_text("not a sound")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(800), 8000)
    soundfile.write(tmp_path / "clipped.wav", np.sign(tone(8000)), 8000)
    soundfile.write(tmp_path / "whole.flac", np.random.default_rng(0).normal(size=80000) / 8, 8000)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "whole.flac").read_bytes()[:40000])
    for name, said in {
        "text.wav": "expected a wav, flac, ogg or mp3",
        "missing.wav": "no such file",
        "empty.wav": "got 0 samples",
        "silent.wav": "silence throughout",
        "clipped.wav": "it is clipped",
        "cut.flac": "cut|expected a wav",
    }.items():
        with pytest.raises(InputError, match=said) as error:
            read_audio(tmp_path / name)
        assert name in str(error.value)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="sample rate: expected 1 or more, got 0"):
        resampled(Audio(torch.zeros(8), 8000), 0)
