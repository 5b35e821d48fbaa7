"""Utterances under noise: their ratios, and which noise stays the same."""

import pytest
import torch

from tasks.speech.data import SpeechData, Utterances
from tasks.speech.data.noisy import Noisy
from tasks.speech.features import Features
from zoo.errors import InputError


class Hums(SpeechData):
    """Sines of one power."""

    def load(self):
        sound = 0.1 * torch.sin(torch.arange(8000) / 3)
        return {
            name: Utterances.of([sound] * 12, ["hum"] * 12, ["s"] * 12, ["u"] * 12, 8000) for name in ("train", "test")
        }


def under_noise(low, high, **kwargs):
    features = Features(rate=8000, bands=20)
    data = Noisy(Hums(features=features), low, high, features=features, **kwargs)
    data.setup()
    return data


def ratios(data):
    """Decibels of each test utterance."""
    clean = data.splits["train"].samples(0)
    noises = [data.splits["test"].samples(n) - clean for n in range(12)]
    return torch.tensor([10 * float(torch.log10(clean.square().mean() / noise.square().mean())) for noise in noises])


def test_ratios_are_as_asked_for():
    torch.testing.assert_close(ratios(under_noise(3.0, 3.0)), torch.full((12,), 3.0), atol=1e-3, rtol=0)
    drawn = ratios(under_noise(0.0, 6.0))
    assert 0 <= drawn.min() < 2 < 4 < drawn.max() <= 6


def test_judged_noise_stays_and_training_noise_does_not():
    data, again, other = under_noise(0.0, 6.0), under_noise(0.0, 6.0), under_noise(0.0, 6.0, noise_seed=1)
    torch.manual_seed(5)  # the run's seed does not matter
    assert torch.equal(data.splits["test"].samples_M, again.splits["test"].samples_M)
    assert not torch.equal(data.splits["test"].samples_M, other.splits["test"].samples_M)
    one, two = (data.batch("train", torch.arange(1), training=True).features_BTD for _ in range(2))
    assert (one - two).abs().max() > 0.1
    judged = (data.batch("test", torch.arange(1)).features_BTD for _ in range(2))
    assert torch.equal(*judged)


def test_training_noise_may_stay_too():
    stays, fresh = under_noise(3.0, 3.0, fresh=False), under_noise(3.0, 3.0)
    one, two = (stays.batch("train", torch.arange(1), training=True).features_BTD for _ in range(2))
    assert torch.equal(one, two)
    noise = stays.splits["train"].samples(0) - fresh.splits["train"].samples(0)
    clean = fresh.splits["train"].samples(0)
    assert 10 * float(torch.log10(clean.square().mean() / noise.square().mean())) == pytest.approx(3, abs=1e-3)


def test_ratios_the_wrong_way_round_are_refused():
    with pytest.raises(InputError, match="low_db: expected at most high_db, got 5 above 2"):
        under_noise(5, 2)
