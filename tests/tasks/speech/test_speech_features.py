"""Features of known sounds, and augmentations that change what they say they change."""

import math

import pytest
import torch

from tasks.speech.augmentations import Gain, Noise, SpecAugment, Speed, with_noise
from tasks.speech.features import Features, normalised, stacked, with_deltas
from zoo.errors import InputError


def tone(hertz, rate=8000, seconds=1.0):
    return 0.5 * torch.sin(2 * math.pi * hertz * torch.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize("kind", ["log_mel", "kaldi"])
def test_a_tone_lies_in_its_band_and_moves_up_with_its_pitch(kind):
    features = Features(kind, rate=8000, bands=24, normalise=False)
    highest = [int(features(tone(hertz)).mean(0).argmax()) for hertz in (300, 700, 1500, 3000)]
    mel = [2595 * math.log10(1 + hertz / 700) for hertz in (300, 700, 1500, 3000)]
    top = 2595 * math.log10(1 + 4000 / 700)
    for band, m in zip(highest, mel, strict=True):
        assert abs(band - (m / top * 25 - 1)) <= 1.5


def test_ten_times_the_power_adds_its_logarithm():
    features = Features(rate=8000, bands=20, normalise=False)
    sound = torch.randn(8000, generator=torch.Generator().manual_seed(0))
    added = features(sound * math.sqrt(10)) - features(sound)
    torch.testing.assert_close(added, torch.full_like(added, math.log(10)), atol=1e-4, rtol=0)


def test_a_click_is_where_it_was_put():
    sound = torch.zeros(8000)
    sound[4000] = 1.0
    frames = Features(rate=8000, bands=20, normalise=False)(sound).sum(1)
    assert abs(int(frames.argmax()) - 50) <= 1


def test_cosine_coefficients_keep_the_energy_of_the_bands():
    sound = torch.randn(4000, generator=torch.Generator().manual_seed(0))
    bands = Features(rate=8000, bands=20, normalise=False)(sound)
    whole = Features("mfcc", rate=8000, bands=20, coefficients=20, normalise=False)(sound)
    torch.testing.assert_close(whole.square().sum(1), bands.square().sum(1), atol=1e-2, rtol=1e-4)


def test_sizes_are_what_is_promised():
    for features in (
        Features(rate=8000),
        Features("mfcc", 8000, deltas=2, stack=3),
        Features("kaldi", 8000, bands=23, stack=2),
    ):
        frames = features(tone(500))
        assert frames.shape[1] == features.size
        assert len(frames) * features.seconds_per_frame == pytest.approx(1.0, abs=0.06)
        assert features(tone(500)[:40]).shape[1] == features.size  # shorter than a window


def test_deltas_of_a_parabola_are_its_slopes():
    t = torch.arange(20.0)[:, None]
    found = with_deltas(t.square(), 2)
    torch.testing.assert_close(found[4:-4, 1:2], 2 * t[4:-4], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[4:-4, 2:], torch.full((12, 1), 2.0), atol=1e-4, rtol=0)


def test_normalising_and_stacking():
    frames = torch.randn(50, 3) * 7 + 2
    frames[:, 2] = 5.0
    found = normalised(frames)
    torch.testing.assert_close(found.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.square().mean(0), torch.tensor([1.0, 1, 0]), atol=1e-5, rtol=0)
    assert stacked(frames, 4).shape == (13, 12)
    assert torch.equal(stacked(frames, 4)[1], frames[4:8].flatten())


def test_noise_has_the_power_that_is_asked():
    sound, noise = tone(440), torch.randn(8000)
    added = with_noise(sound, noise, 7.0) - sound
    assert 10 * math.log10(sound.square().mean() / added.square().mean()) == pytest.approx(7.0, abs=1e-3)
    added = Noise(12.0, 12.0)(sound) - sound
    assert 10 * math.log10(sound.square().mean() / added.square().mean()) == pytest.approx(12.0, abs=1e-3)


def test_speed_moves_pitch_and_length():
    faster = Speed(1.25, 1.25)(tone(400))
    assert len(faster) == 6400
    spectrum = torch.fft.rfft(faster).abs()
    assert int(spectrum.argmax()) * 8000 / 6400 == pytest.approx(500, abs=3)


def test_gain_in_decibels():
    assert Gain(-20.0, -20.0)(tone(100)).abs().max() == pytest.approx(0.05, abs=1e-3)


def test_masks_are_bands_and_stretches_within_the_utterance():
    torch.manual_seed(0)
    features = torch.ones(200, 50, 20)
    frames = torch.full((200,), 30)
    masked = SpecAugment(1, 6, 0, 0.0)(features, frames) == 0
    assert torch.equal(masked.any(1), masked.all(1))
    assert masked.all(1).sum(1).max() == 6
    masked = SpecAugment(0, 0, 1, 0.2)(features, frames) == 0
    assert torch.equal(masked.any(2), masked.all(2))
    assert masked.all(2).sum(1).max() == 6
    assert not masked[:, 30:].any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rate": 0}, "features.rate"),
        ({"kind": "plp"}, "expected log_mel"),
        ({"kind": "mfcc", "coefficients": 50}, "features.coefficients"),
    ],
)
def test_wrong_options(options, said):
    with pytest.raises(InputError, match=said):
        Features(**options)
    with pytest.raises(InputError, match="Speed: expected"):
        Speed(1.1, 0.9)
