"""Nets that start from the weights of another run."""

from functools import partial

import pytest
import torch

from tasks.speech.data import SpeechData, Utterances
from tasks.speech.features import Features
from tasks.speech.networks import Conv
from tasks.speech.task import CTCRecognition
from zoo.errors import InputError


class Noises(SpeechData):
    """A few utterances of noise."""

    def __init__(self, letters="ab", **kwargs):
        super().__init__(features=Features(rate=8000, bands=20), **kwargs)
        self.letters = letters

    def load(self):
        """See `SpeechData.load`."""
        texts = [one + other for one in self.letters for other in self.letters]
        sounds = [torch.randn(4000) / 9 for _ in texts]
        names = [f"u{n}" for n in range(len(texts))]
        whole = Utterances.of(sounds, texts, ["s"] * len(texts), names, 8000)
        return {"train": whole, "test": whole.take([0])}


def fit(quick, data, start=None, channels=8, rate=0.0, **options):
    """A task trained for a step, at a rate of 0 by default: its weights are those that it started from."""
    net = Conv(20, 3, channels, (3,), 1, 0.0)
    task = CTCRecognition(net, partial(torch.optim.SGD, lr=rate), start_from=start)
    trainer = quick(max_epochs=1, threads=1)
    trainer.fit(task, datamodule=data, weights_only=True, **options)
    return task, trainer


def weights(task):
    return {name: value for name, value in task.net.named_parameters()}


def test_it_starts_from_the_others_weights_and_a_resumed_run_does_not(quick, tmp_path):
    first, trainer = fit(quick, Noises(), rate=0.1)
    trainer.save_checkpoint(tmp_path / "first.ckpt")
    second, _ = fit(quick, Noises(), str(tmp_path / "first.ckpt"))
    for name, value in weights(first).items():
        assert torch.equal(value, weights(second)[name])
    other, trainer = fit(quick, Noises(), rate=0.1)
    trainer.save_checkpoint(tmp_path / "other.ckpt")
    resumed, _ = fit(quick, Noises(), str(tmp_path / "first.ckpt"), ckpt_path=str(tmp_path / "other.ckpt"))
    for name, value in weights(other).items():
        assert torch.equal(value, weights(resumed)[name])


def test_another_net_alphabet_or_no_run_is_one_line(quick, tmp_path):
    _, trainer = fit(quick, Noises(), rate=0.1)
    path = str(tmp_path / "first.ckpt")
    trainer.save_checkpoint(path)
    with pytest.raises(InputError, match="expected a checkpoint of the same net, got another"):
        fit(quick, Noises(), path, channels=16)
    with pytest.raises(InputError, match="expected the alphabet of the data, got another"):
        fit(quick, Noises("xy"), path)
    with pytest.raises(
        InputError, match="got speech/nothing, which is not there; make one with: zoo fit speech/nothing"
    ):
        fit(quick, Noises(), "speech/nothing")
