"""Alphabet, batches, networks and the task of speech recognition on made sounds."""

import math
from functools import partial

import pytest
import torch

from tasks.speech.alphabet import Alphabet
from tasks.speech.augmentations import Gain, SpecAugment
from tasks.speech.data import SpeechData, Utterances
from tasks.speech.features import Features
from tasks.speech.networks import BiLSTM, Conv
from tasks.speech.task import CTCRecognition
from zoo.errors import InputError

HERTZ = {"a": 400, "b": 900, "c": 1800}


class Tones(SpeechData):
    """Each letter is a tone of 80 ms after 40 ms of near silence; two to four letters an utterance."""

    def load(self):
        generator = torch.Generator().manual_seed(0)
        return {"train": self.made(generator, 120), "test": self.made(generator, 40)}

    def made(self, generator, count):
        lengths = torch.randint(2, 5, (count,), generator=generator).tolist()
        texts = ["".join("abc"[i] for i in torch.randint(0, 3, (n,), generator=generator).tolist()) for n in lengths]
        return Utterances.of(
            [self.sound(text, generator) for text in texts], texts, ["s"] * count, [f"u{i}" for i in range(count)], 8000
        )

    def sound(self, text, generator):
        t = torch.arange(640) / 8000
        parts = [torch.cat([torch.zeros(320), 0.3 * torch.sin(2 * math.pi * HERTZ[letter] * t)]) for letter in text]
        whole = torch.cat(parts)
        return whole + 0.003 * torch.randn(len(whole), generator=generator)


FEATURES = Features(rate=8000, bands=20)


def test_transcripts_become_labels_and_come_back():
    for kind in ("characters", "words"):
        alphabet = Alphabet.of(["one two", "two  three"], kind)
        assert alphabet.decode(alphabet.encode(" two one ")) == "two one"
        assert 0 not in alphabet.encode("one")
    with pytest.raises(InputError, match=r"u1: expected the alphabet 'one', got 'six'"):
        Alphabet.of(["one"], "words").encode("one six", "u1")
    with pytest.raises(InputError, match="expected some text, got none"):
        Alphabet.of(["  "])


def test_sounds_are_kept_to_16_bits():
    sounds = [torch.rand(n) * 2 - 1 for n in (5, 1, 9)]
    kept = Utterances.of(sounds, ["a", "b", "c"], ["s"] * 3, ["x", "y", "z"], 8000)
    for n, sound in enumerate(sounds):
        torch.testing.assert_close(kept.samples(n), sound, atol=2e-5, rtol=0)
    assert torch.equal(kept.take([2]).samples(0), kept.samples(2))


@pytest.mark.parametrize(
    "make", [partial(BiLSTM, 20, 5, 8, 2), partial(Conv, 20, 5, 16, (3, 5), 2), partial(Conv, 20, 5, 16, (3,), 3)]
)
def test_an_answer_does_not_depend_on_its_batch(make):
    net = make().double().eval()
    data = Tones(features=FEATURES)
    data.setup()
    features, frames, _, _ = data.batch("train", torch.arange(6))
    together, kept = net(features.double(), frames)
    assert torch.equal(kept, net.frames_out(frames))
    for n in range(6):
        alone, one = net(features[n : n + 1, : frames[n]].double(), frames[n : n + 1])
        assert one == kept[n]
        torch.testing.assert_close(alone[0, : kept[n]], together[n, : kept[n]], atol=1e-10, rtol=0)


def test_augmented_batches_are_of_the_same_utterances():
    data = Tones(features=FEATURES, sample_changes=[Gain(-3.0, 3.0)], spec_augment=SpecAugment(1, 5, 1, 0.2))
    data.setup()
    plain, changed = data.batch("train", torch.arange(8)), data.batch("train", torch.arange(8), training=True)
    assert torch.equal(plain.labels_BU, changed.labels_BU)
    assert torch.equal(plain.frames_B, changed.frames_B)
    assert not torch.equal(plain.features_BTD, changed.features_BTD)


def task_of(data, seed=0):
    torch.manual_seed(seed)
    net = Conv(data.features.size, len(data.alphabet), 32, (5, 5), 1, 0.0)
    return CTCRecognition(net, partial(torch.optim.AdamW, lr=5e-3))


def test_tones_are_learned(quick):
    data = Tones(features=FEATURES, batch_size=16)
    task, trainer = task_of(data), quick(max_epochs=12, threads=1)
    trainer.fit(task, datamodule=data)
    found = trainer.test(task, datamodule=data, verbose=False)[0]
    assert found["test/cer"] < 0.05
    assert set(found) == {"test/accuracy", "test/loss", "test/wer", "test/cer"}


def test_the_score_is_the_transcripts_log_probability():
    data = Tones(features=FEATURES)
    data.setup()
    task = task_of(data)
    batch = data.batch("train", torch.arange(3))
    task.eval()
    features, score = task.attribution_target(batch)
    expected = score(features)
    torch.testing.assert_close(score(features.repeat(2, 1, 1)), expected.repeat(2), atol=1e-4, rtol=1e-4)
    assert (expected < 0).all()


def test_an_utterance_too_short_for_its_transcript_is_named(quick):
    class Long(Tones):
        def load(self):
            loaded = super().load()
            loaded["train"].texts[7] = "abc" * 40
            return loaded

    data = Long(features=FEATURES)
    with pytest.raises(InputError, match="u7: expected frames for its 120 labels"):
        quick(threads=1).fit(task_of(data), datamodule=data)


def test_recordings_of_another_rate_are_refused():
    with pytest.raises(InputError, match="rate: expected 8000, that of the recordings, got 16000"):
        Tones().setup()
