"""What a set does with utterances that cannot be used: one line, or a row of the report."""

from functools import partial

import pytest
import torch

from tasks.speech.data import SpeechData, Utterances
from tasks.speech.features import Features
from tasks.speech.networks import Conv
from tasks.speech.pages.skipped import skipped_section
from tasks.speech.task import CTCRecognition
from zoo.errors import InputError


class Noises(SpeechData):
    """Six noises; `spoil` changes their list of (samples, text) before they are made utterances."""

    def __init__(self, spoil, **kwargs):
        super().__init__(features=Features(rate=8000, bands=20), **kwargs)
        self.spoil = spoil

    def load(self):
        """See `SpeechData.load`."""
        generator = torch.Generator().manual_seed(0)
        rows = [(torch.randn(4000, generator=generator) / 9, text) for text in ("ab", "ba", "aa", "b", "bb", "a")]
        self.spoil(rows)
        sounds, texts = zip(*rows, strict=True)
        whole = Utterances.of(list(sounds), list(texts), ["s"] * 6, [f"u{n}" for n in range(6)], 8000)
        return {"train": whole.take([0, 1, 2, 3]), "test": whole.take([4, 5])}


def put(place, samples=None, text=None):
    """Puts other samples or another text at a place."""

    def spoil(rows):
        rows[place] = (rows[place][0] if samples is None else samples, rows[place][1] if text is None else text)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "name", "line"),
    [
        (put(1, samples=torch.zeros(0)), "u1", "expected sound, got 0 samples"),
        (put(1, samples=torch.zeros(4000)), "u1", "got silence throughout"),
        (put(1, samples=torch.ones(4000).index_fill(0, torch.arange(0, 4000, 2), -1)), "u1", "it is clipped"),
        (
            put(1, samples=torch.randn(17_000) / 9),
            "u1",
            r"expected at most 2 s of sound, got 2\.1, which could take all",
        ),
        (put(4, text="abc"), "u4", "expected the alphabet 'a b', got 'c' in 'abc'"),
    ],
)
def test_one_line_or_left_out(spoil, name, line):
    with pytest.raises(InputError, match=f"{name}: .*{line}.*data.skip_bad") as error:
        Noises(spoil, longest_seconds=2.0).setup()
    assert "\n" not in str(error.value)
    data, plain = Noises(spoil, longest_seconds=2.0, skip_bad=True), Noises(lambda rows: None)
    data.setup()
    plain.setup()
    assert list(data.skipped) == [name]
    for split, whole in plain.splits.items():
        kept = [n for n, one in enumerate(whole.names) if one != name]
        assert data.splits[split].names == [whole.names[n] for n in kept]
        one, other = (each.batch(split, torch.arange(len(kept))) for each in (data, plain))
        other = plain.batch(split, torch.tensor(kept))
        for ours, theirs in zip(one, other, strict=True):
            assert torch.equal(ours, theirs)


def test_a_second_attempt_is_refused_again():
    data = Noises(put(4, text="abc"))
    for _ in range(2):
        with pytest.raises(InputError, match="u4"):
            data.setup()


def test_nothing_left_is_told():
    def spoil(rows):
        rows[4] = rows[5] = (torch.zeros(10), "a")

    with pytest.raises(InputError, match="test split: expected at least 1 usable utterance, got 0"):
        Noises(spoil, skip_bad=True).setup()


def fitted(quick, data):
    net = Conv(20, 3, 8, (3,), 4, 0.0)
    task = CTCRecognition(net, partial(torch.optim.AdamW, lr=1e-3))
    quick(max_epochs=1, threads=1).fit(task, datamodule=data)
    return task


def test_what_the_net_cannot_spell_in_its_frames_is_left_out_too(quick):
    long = put(2, text="ab" * 10)  # 51 frames become 13
    with pytest.raises(InputError, match=r"u2: expected frames for its 20 labels, got 13 .*data\.skip_bad"):
        fitted(quick, Noises(long))
    data = Noises(long, skip_bad=True)
    task = fitted(quick, data)
    assert data.splits["train"].names == ["u0", "u1", "u3"]
    section = task.report_sections(data)[0]
    assert section.figures[0].table.rows[0][0] == "u2"
    assert "expected frames for its 20 labels" in section.figures[0].table.rows[0][1]


def test_the_report_says_nothing_where_nothing_is_missing(quick):
    data = Noises(lambda rows: None, skip_bad=True)
    assert fitted(quick, data).report_sections(data) == []
    assert skipped_section({"a": "a: too long", "b": "b: empty"}).lead.startswith("2 utterances were left out")
