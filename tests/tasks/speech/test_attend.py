"""The attention task on made tones: symbols of any duration are learned, attended in turn, and judged as they should."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import nn

from tasks.speech.attend import AttentionRecognition, attention_paid
from tasks.speech.data import SpeechData, Utterances
from tasks.speech.decoding.spelling_beam import SpellingBeam
from tasks.speech.error_rates import error_rate
from tasks.speech.features import Features
from tasks.speech.losses import ctc_loss
from tasks.speech.networks import ListenAttendSpell, Listener, LocationAttention, Speller
from tasks.speech.rates import with_rates
from tasks.speech.spelling import spelling_loss
from tasks.speech.task import errors_of
from zoo.errors import InputError

HERTZ = {"a": 400, "b": 900, "c": 1800}
FEATURES = Features(rate=8000, bands=20, stack=2)


class WarpedTones(SpeechData):
    """Two to four letters, each a tone of 60 to 240 ms after 40 ms of near silence."""

    def load(self):
        generator = torch.Generator().manual_seed(0)
        return {"train": self.made(generator, 480), "test": self.made(generator, 60)}

    def made(self, generator, count):
        lengths = torch.randint(2, 5, (count,), generator=generator).tolist()
        texts = ["".join("abc"[i] for i in torch.randint(0, 3, (n,), generator=generator).tolist()) for n in lengths]
        names = [f"u{i}" for i in range(count)]
        return Utterances.of([self.sound(text, generator) for text in texts], texts, ["s"] * count, names, 8000)

    def sound(self, text, generator):
        parts = []
        for letter in text:
            t = torch.arange(int(torch.randint(480, 1920, (), generator=generator))) / 8000
            parts += [torch.zeros(320), 0.3 * torch.sin(2 * math.pi * HERTZ[letter] * t)]
        whole = torch.cat(parts)
        return whole + 0.003 * torch.randn(len(whole), generator=generator)


@pytest.fixture(scope="module")
def data():
    """Read by all, changed by none."""
    made = WarpedTones(features=FEATURES, batch_size=16)
    made.setup()
    return made


def task_of(ctc=False, labels=4, **options):
    torch.manual_seed(0)
    net = ListenAttendSpell(
        Listener(40, 24, pyramid=1),
        Speller(labels, 48, LocationAttention(48, 32, 24), 32, 1, 8),
        nn.Linear(48, labels) if ctc else None,
    )
    return AttentionRecognition(net, partial(torch.optim.AdamW, lr=8e-3), **options)


@pytest.mark.parametrize("ctc", [0.0, 0.3])
def test_symbols_of_any_duration_are_learned_and_attended_in_turn(quick, data, ctc):
    task = task_of(bool(ctc), ctc_weight=ctc, sampling_steps=100, beam=SpellingBeam(4, ctc_weight=ctc, longest=8))
    trainer = quick(max_epochs=6, threads=1)
    trainer.fit(task, datamodule=data)
    found = trainer.test(task, datamodule=data, verbose=False)[0]
    rates = {"test/cer", "test/beam_cer", "test/wer", "test/beam_wer"}
    assert set(found) == rates | {"test/loss", "test/accuracy"}
    assert found["test/cer"] < 0.05
    assert found["test/beam_cer"] < 0.05
    task.eval()
    batch = data.batch("test", torch.arange(60))
    forwards = []
    for n, (frames, length) in enumerate(zip(batch.frames_B, batch.lengths_B, strict=True)):
        attention_UT = attention_paid(task.net, batch.features_BTD[n, :frames], batch.labels_BU[n, :length])
        assert attention_UT.shape == (length + 1, -(-frames // 2))
        forwards += [after > before for before, after in pairwise(attention_UT.argmax(-1).tolist()[:-1])]
    assert sum(forwards) > 0.95 * len(forwards)


def test_terms_are_weighted_losses_by_label(data):
    task = task_of(ctc=True, ctc_weight=0.25, label_smoothing=0.2, scheduled_sampling=0.0).double()
    batch = data.batch("train", torch.arange(5))
    batch = batch._replace(features_BTD=batch.features_BTD.double())
    heard = task.net(*batch[:3])
    logs_TBV = heard.frame_logits_BTV.log_softmax(-1).transpose(0, 1)
    expected = {
        "attention": 0.75 * (spelling_loss(heard.logits_BUV, *batch[2:], 0.2) / (batch.lengths_B + 1)).mean(),
        "ctc": 0.25 * (ctc_loss(logs_TBV, batch.labels_BU, heard.frames_B, batch.lengths_B) / batch.lengths_B).mean(),
    }
    found = task.loss(task.net, batch)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    # In evaluation nothing is smoothed.
    plain = 0.75 * (spelling_loss(heard.logits_BUV, *batch[2:]) / (batch.lengths_B + 1)).mean()
    torch.testing.assert_close(task.eval().loss(task.net, batch)["attention"], plain, atol=1e-12, rtol=0)


def test_sampling_grows_from_nothing(data):
    task, batch = task_of(scheduled_sampling=0.9, sampling_steps=10), data.batch("train", torch.arange(8))
    taught = task_of(scheduled_sampling=0.0).loss(task.net, batch)["attention"]
    assert torch.equal(task.loss(task.net, batch)["attention"], taught)
    always = task_of(scheduled_sampling=0.9)
    assert not torch.equal(always.loss(always.net, batch)["attention"], taught)


def test_the_score_is_the_transcripts_log_probability(data):
    task, batch = task_of().eval(), data.batch("train", torch.arange(3))
    features, score = task.attribution_target(batch)
    expected = -spelling_loss(task.net(*batch[:3]).logits_BUV, *batch[2:])
    torch.testing.assert_close(score(features.repeat(2, 1, 1)), expected.repeat(2), atol=1e-4, rtol=1e-5)


def test_rates_are_over_all_units_said():
    said = ["one two", "nine", "six"]
    expected, means = {"test/loss": 3.0}, {"test/loss": 3.0}
    for way, heard in (("", ["one too", "nine nine", "six"]), ("beam_", ["one", "nine", ""])):
        figures = errors_of(said, heard)
        means |= {f"test/{way * name.endswith('errors')}{name}": sum(values) / 3 for name, values in figures.items()}
        pairs = list(zip(said, heard, strict=True))
        expected[f"test/{way}wer"] = error_rate([(one.split(), other.split()) for one, other in pairs]).rate
        expected[f"test/{way}cer"] = error_rate(pairs).rate
    assert with_rates(means) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ctc_weight": 0.3}, r"model\.ctc_weight: expected 0 with a net without a layer for CTC"),
        ({"beam": SpellingBeam(ctc_weight=0.3)}, r"model\.beam\.ctc_weight: expected 0 with a net without"),
        ({"ctc": True}, r"model\.ctc_weight: expected above 0"),
        ({"scheduled_sampling": 1.5}, r"model\.scheduled_sampling: expected 0 or more and below 1, got 1\.5"),
        ({"label_smoothing": -0.1}, r"model\.label_smoothing: expected 0 or more"),
    ],
)
def test_contradictory_options_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        task_of(**options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": 5}, "speller.labels: expected 4, the alphabet with the blank, got 5"),
        ({"beam": SpellingBeam(longest=3)}, r"model\.beam\.longest: expected 4 or more"),
    ],
)
def test_a_net_of_another_alphabet_and_answers_too_short_are_refused_before_training(quick, data, options, said):
    with pytest.raises(InputError, match=said):
        quick(threads=1).fit(task_of(**options), datamodule=data)


def test_an_utterance_too_short_for_ctc_is_named(quick):
    class Long(WarpedTones):
        def load(self):
            loaded = super().load()
            loaded["train"].texts[7] = "abc" * 30
            return loaded

    task = task_of(ctc=True, ctc_weight=0.3, beam=SpellingBeam(longest=90))
    with pytest.raises(InputError, match=r"u7: expected 90 frames or more for its 90 labels"):
        quick(threads=1).fit(task, datamodule=Long(features=FEATURES))
