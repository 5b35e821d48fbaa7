"""Made digits: the same samples on every call, transcripts of what is said, voices that training does not have."""

import pytest
import torch

from tasks.speech.data.made import (
    ACCENTS,
    TIMBRES,
    UNSEEN_ACCENTS,
    MadeSpeech,
    digit_texts,
    made_utterances,
    some_voices,
)
from tasks.speech.features import Features
from tasks.speech.made_voices import Voice, spoken
from zoo.errors import InputError

pytest.importorskip("espeakng_loader")


def test_every_call_gives_the_same_samples_whatever_was_said_before():
    voices = [Voice(f"{accent}+{timbre}") for accent in ("en", "en-us-nyc") for timbre in ("m1", "f3", "f5")]
    first = made_utterances(["one two"] * 12, voices, 8000, seed=3)
    spoken("something else")
    again = made_utterances(["one two"] * 12, voices, 8000, seed=3)
    other = made_utterances(["one two"] * 12, voices, 8000, seed=4)
    assert torch.equal(first.samples_M, again.samples_M)
    assert first.speakers != other.speakers


def test_no_voice_of_any_split_differs_from_call_to_call():
    """Voices with breath would."""
    voices = [Voice(f"en+{timbre}") for timbres in TIMBRES.values() for timbre in timbres]
    voices += [Voice(accent) for accent in ACCENTS + UNSEEN_ACCENTS]
    one, two = ([made_utterances(["nine"], [voice], 8000, 0) for voice in voices] for _ in range(2))
    assert [a.speakers for a, b in zip(one, two, strict=True) if not torch.equal(a.samples_M, b.samples_M)] == []


def test_a_comma_is_a_pause_and_no_part_of_the_transcript():
    plain, paused = (made_utterances([text], [Voice("en-us")], 8000, 0) for text in ("one two", "one, two."))
    assert plain.texts == paused.texts == ["one two"]
    assert len(paused.samples_M) > len(plain.samples_M) + 800


def test_digits_come_up_evenly():
    said = " ".join(digit_texts(2000, 7, 0.25, seed=0)).replace(",", "").split()
    counts = torch.tensor([said.count(word) for word in set(said)], dtype=torch.float64)
    expected = len(said) / 10
    assert len(counts) == 10
    assert ((counts - expected) ** 2 / expected).sum() < 27.9  # chi-squared of 9 degrees, p = 0.001


@pytest.mark.parametrize("unseen_accents", [False, True])
def test_splits_share_no_timbre_and_if_asked_no_accent(unseen_accents):
    data = MadeSpeech(60, 20, 20, unseen_accents=unseen_accents, features=Features(rate=8000))
    data.setup()
    accents, timbres = (
        [{name.split("+")[part] for name in split.speakers} for split in data.splits.values()] for part in (0, 1)
    )
    assert not (timbres[0] & timbres[1] or timbres[0] & timbres[2] or timbres[1] & timbres[2])
    assert bool(accents[0] & (accents[1] | accents[2])) != unseen_accents
    assert data.splits["test"].rate == 8000
    said = data.alphabet.decode(data.batch("train", torch.tensor([0])).labels_BU[0].tolist())
    assert said == data.splits["train"].texts[0]


def test_voices_are_drawn_within_their_ranges():
    voices = some_voices(["en", "en-us"], ["m1"], (110, 120), (30, 31), 200, seed=0)
    assert {v.name for v in voices} == {"en+m1", "en-us+m1"}
    assert {v.words_per_minute for v in voices} == set(range(110, 121))
    assert {v.pitch for v in voices} == {30, 31}


def test_refusals():
    with pytest.raises(InputError, match="expected texts and voices, got 0 and 1"):
        made_utterances([], [Voice()], 8000, 0)
    with pytest.raises(InputError, match=r"data\.test_size: expected 1 or more, got 0"):
        MadeSpeech(test_size=0)
