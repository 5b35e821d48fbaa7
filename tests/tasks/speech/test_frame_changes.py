"""Frames of other vocal tracts and paces, and with noise, against tones, ramps and powers."""

import math

import pytest
import torch

from tasks.speech.features import Features
from tasks.speech.frame_changes import (
    RoomNoise,
    Warp,
    factors,
    finished,
    inside,
    places_of,
    resampled,
    warped_bands,
)
from zoo.errors import InputError

PLAIN = Features(rate=8000, bands=40, normalise=False)


def tone(hertz: float) -> torch.Tensor:
    return PLAIN(0.5 * torch.sin(2 * math.pi * hertz * torch.arange(2000) / 8000))[None]


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.25])
def test_a_warped_tone_is_the_tone_of_the_other_vocal_tract(factor):
    hertz = 1200.0
    frames = tone(hertz)
    times = torch.arange(frames.shape[1])[None]
    got = resampled(frames, times, warped_bands(torch.tensor([factor]), PLAIN))[0, 10]
    # Band d of the warped frame shows what lies at factor times its frequency: the tone is found at hertz / factor.
    assert abs(int(got.argmax()) - int(tone(hertz / factor)[0, 10].argmax())) <= 1
    assert (got.argmax() < frames[0, 10].argmax()) == (factor > 1)


def test_no_warp_is_the_identity():
    frames = torch.randn(3, 9, 40)
    lengths = torch.tensor([9, 8, 9])
    got, kept = Warp(1.0, 1.0)(frames, lengths, PLAIN)
    assert kept.equal(lengths)
    torch.testing.assert_close(got, frames, atol=1e-4, rtol=0)


@pytest.mark.parametrize("new", [5, 13, 21])
def test_another_pace_keeps_first_and_last_frame_and_is_linear_between(new):
    frames = torch.zeros(2, 16, 40)
    frames[0, :11] = torch.arange(11.0)[:, None]  # the rest is padding, which must not be read
    frames[1] = torch.arange(16.0)[:, None]
    times = places_of(torch.tensor([11, 16]), torch.tensor([new, 8]))
    got = resampled(frames, times, torch.arange(40.0).expand(2, 40))
    torch.testing.assert_close(got[0, :new, 3], torch.linspace(0, 10, new))
    torch.testing.assert_close(got[1, :8, 3], torch.linspace(0, 15, 8))


def test_factors_are_even_in_the_logarithm():
    torch.manual_seed(0)
    logs = factors(1.5, 20_000).log() / math.log(1.5)
    assert -1 <= logs.min() < -0.99 and 0.99 < logs.max() <= 1
    assert abs(float(logs.mean())) < 0.02 and float(logs.square().mean()) == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize("down", [0.0, 20.0])
def test_noise_has_the_power_that_was_asked_for(down):
    torch.manual_seed(0)
    frames = torch.full((200, 30, 40), -60.0)
    frames[:, :15] = 2.0  # the utterance; behind its end there is nothing that counts
    lengths = torch.full((200,), 15)
    got, _ = RoomNoise(down, down, share=1.0, slope=0.0)(frames, lengths, PLAIN)
    noise = got[:, 15:].exp().mean()  # where there is nothing else
    assert 10 * math.log10(noise / math.exp(2.0)) == pytest.approx(-down, abs=0.1)
    torch.testing.assert_close(got[:, :15].exp().mean(), math.exp(2.0) + noise, atol=0, rtol=0.02)


def test_a_share_of_the_utterances_gets_noise():
    torch.manual_seed(0)
    frames = torch.zeros(4000, 8, 40)
    got, _ = RoomNoise(10, 10, share=0.3)(frames, torch.full((4000,), 8), PLAIN)
    assert float((got != frames).any((1, 2)).float().mean()) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(("deviation", "floor_db"), [("each", None), ("all", None), ("all", 20.0), ("each", 5.0)])
def test_a_batch_is_finished_as_each_utterance_is_by_itself(deviation, floor_db):
    whole = Features(rate=8000, bands=40, deviation=deviation, floor_db=floor_db)
    sounds = [0.1 * torch.randn(n) * torch.linspace(0.01, 1, n) for n in (900, 3000, 2000)]
    plain = [PLAIN(sound) for sound in sounds]
    lengths = torch.tensor([len(frames) for frames in plain])
    got = finished(torch.nn.utils.rnn.pad_sequence(plain, batch_first=True), lengths, whole)
    for n, sound in enumerate(sounds):
        torch.testing.assert_close(got[n, : lengths[n]], whole(sound), atol=1e-4, rtol=1e-4)
    assert not got[~inside(lengths, got.shape[1])].any()
    if deviation == "all":
        torch.testing.assert_close(whole(sounds[1]).square().mean(), torch.tensor(1.0))


def test_a_floor_lies_below_the_mean_energy():
    sound = torch.cat([0.5 * torch.sin(torch.arange(4000) * 0.7), torch.zeros(4000)])
    energies = PLAIN(sound).exp()
    raised = Features(rate=8000, bands=40, normalise=False, floor_db=20.0)(sound).exp()
    torch.testing.assert_close(raised - energies, (energies.mean() / 100).expand_as(energies), atol=1e-6, rtol=1e-3)


def test_factors_below_one_are_refused():
    with pytest.raises(InputError, match=r"Warp\.tempo: expected 1 or more, got 0\.9"):
        Warp(tempo=0.9)
