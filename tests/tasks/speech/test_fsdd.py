"""Splits of spoken digits and strings of them, on made recordings and, marked `data`, on the published ones."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from data_scripts import fsdd as script
from tasks.speech.data.companions import Companions
from tasks.speech.data.fsdd import FSDD, SPEAKERS
from tasks.speech.data.stored import FILE, contents_of
from tasks.speech.data.strung import Strings, groups
from tasks.speech.data.trimming import trimmed
from tasks.speech.data.utterances import Utterances
from tasks.speech.features import Features
from tasks.speech.frame_changes import Warp
from zoo.data.stored import write_stored
from zoo.errors import InputError

SHARED = [folder / "shared" / "data" / "speech" for folder in Path(__file__).resolve().parents]
FEATURES = Features(rate=8000, bands=20)


def made(indices: int = 7) -> Utterances:
    """Of each speaker and digit so many recordings, 80 ms of noise."""
    torch.manual_seed(0)
    names = [f"{digit}_{speaker}_{n}.wav" for speaker in SPEAKERS for digit in range(10) for n in range(indices)]
    sounds = [0.1 * torch.randn(640) for _ in names]
    texts, speakers = [script.WORDS[int(name[0])] for name in names], [name.split("_")[1] for name in names]
    return Utterances.of(sounds, texts, speakers, names, 8000)


@pytest.fixture
def root(tmp_path):
    write_stored(tmp_path / "fsdd" / FILE, contents_of(made()))
    return str(tmp_path)


def keys(utterances: Utterances) -> set[tuple[str, int]]:
    return {(name.split("_")[1], int(name.split("_")[2][:-4])) for name in utterances.names}


def test_the_official_split_tests_the_first_five_recordings(root):
    parts = FSDD(root, validation=1, features=FEATURES).load()
    assert keys(parts["test"]) == {(speaker, n) for speaker in SPEAKERS for n in range(5)}
    assert keys(parts["validation"]) == {(speaker, 5) for speaker in SPEAKERS}
    assert keys(parts["train"]) == {(speaker, 6) for speaker in SPEAKERS}
    assert Counter(parts["test"].texts) == dict.fromkeys(script.WORDS, 30)
    assert set(FSDD(root, features=FEATURES).load()) == {"train", "test"}


@pytest.mark.parametrize("left_out", SPEAKERS)
def test_nothing_of_the_speaker_left_out_is_trained_on(root, left_out):
    held = next(one for one in SPEAKERS if one != left_out)
    parts = FSDD(root, left_out, held, features=FEATURES).load()
    assert keys(parts["test"]) == {(left_out, n) for n in range(7)}
    assert keys(parts["validation"]) == {(held, n) for n in range(7)}
    assert {speaker for speaker, _ in keys(parts["train"])} == set(SPEAKERS) - {left_out, held}
    by_number = FSDD(root, left_out, 2, features=FEATURES).load()
    assert keys(by_number["validation"]) == {(one, n) for one in SPEAKERS if one != left_out for n in range(2)}


def test_made_voices_are_trained_on_and_never_tested(root):
    plain, more = (FSDD(root, "theo", companions=one, features=FEATURES).load() for one in (None, Companions(12)))
    assert len(more["train"]) == len(plain["train"]) + 12
    assert set(more["train"].texts) == set(script.WORDS)
    assert more["test"].names == plain["test"].names and more["train"].names[:-12] == plain["train"].names
    for n in range(len(plain["train"]), len(more["train"])):
        samples = more["train"].samples(n)
        loudest = samples.unfold(0, 80, 80).square().mean(1)
        assert min(loudest[0], loudest[-1]) > 1e-4 * loudest.max()  # trimmed


def test_a_string_is_its_recordings_with_quiet_pauses_between(root):
    single, strings = made(), Strings(words=3, pauses=(0.05, 0.2), noise_db=30.0, seed=4)
    whole = strings.of(single)
    place = {name: n for n, name in enumerate(single.names)}
    quiet, power = [], []
    for n in range(len(whole)):
        parts = [place[name] for name in whole.names[n].split("+")]
        assert whole.texts[n] == " ".join(single.texts[i] for i in parts)
        assert {single.speakers[i] for i in parts} == {whole.speakers[n]}
        left = whole.samples(n)
        for number, i in enumerate(parts):
            word = single.samples(i)
            if number:
                at = next(a for a in range(400, 1601) if torch.allclose(left[a : a + len(word)], word, atol=1e-4))
                quiet.append(left[:at].square().mean())
                left = left[at:]
            torch.testing.assert_close(left[: len(word)], word, atol=1e-4, rtol=0)
            power.append(word.square().mean())
            left = left[len(word) :]
        assert not len(left)
    ratio = 10 * (torch.stack(power).mean() / torch.stack(quiet).mean()).log10()
    assert float(ratio) == pytest.approx(30.0, abs=0.3)


def test_every_recording_is_in_one_string_of_a_round(root):
    single = made()
    whole = Strings(words=5).of(single, rounds=2)
    used = Counter(name for names in whole.names for name in names.split("+"))
    assert set(used.values()) == {2} and len(used) == 6 * 70
    first, second = whole.names[:84], whole.names[84:]
    assert set(first) != set(second)  # other strings in the second round
    assert Strings(words=5).of(single).names == first  # and always the same in the first
    assert Strings(words=5, seed=1).of(single).names != first
    assert groups(["a", "b"], 2, "0") == []


def test_strings_of_the_splits_are_of_their_own_recordings(root):
    strings = Strings(words=5)
    alone = FSDD(root, "lucas", strings=strings, rounds=3, features=FEATURES).load()
    beside = FSDD(root, "lucas", "theo", strings=strings, features=FEATURES).load()
    assert beside["test"].names == alone["test"].names and len(alone["test"]) == 14
    assert len(alone["train"]) == 3 * 70 and set(alone["train"].speakers) == set(SPEAKERS) - {"lucas"}
    assert all("lucas" not in name and "theo" not in name for name in beside["train"].names)
    assert torch.equal(beside["test"].samples_M, alone["test"].samples_M)


def test_changed_frames_of_a_batch_are_those_of_its_utterances(root):
    data = FSDD(root, features=FEATURES, frame_changes=[Warp(1.0, 1.0)])
    data.setup()
    chosen = torch.tensor([3, 0, 7])
    plain, changed = data.batch("train", chosen), data.batch("train", chosen, training=True)
    torch.testing.assert_close(changed.features_BTD, plain.features_BTD, atol=1e-3, rtol=0)
    assert torch.equal(changed.labels_BU, plain.labels_BU) and torch.equal(changed.frames_B, plain.frames_B)
    with pytest.raises(InputError, match=r"data\.frame_changes: expected log_mel"):
        FSDD(root, features=Features(rate=8000, stack=2), frame_changes=[Warp()])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"left_out": "anna"}, r"data\.left_out: expected one of george"),
        ({"validation": "anna"}, r"data\.validation: expected one of george"),
        ({"left_out": "theo", "validation": "theo"}, "a speaker other than left_out"),
        ({"rounds": 2}, r"data\.rounds: expected 1"),
        ({"strings": Strings(words=71)}, "expected 71 recordings of a speaker or more"),
    ],
)
def test_splits_that_cannot_be_are_one_line(root, options, said):
    with pytest.raises(InputError, match=said):
        FSDD(root, features=FEATURES, **options).load()


def test_silence_within_a_word_stays():
    loud, quiet = torch.ones(80), torch.zeros(80)
    whole = torch.cat([quiet, quiet, loud, quiet, loud, quiet])
    assert torch.equal(trimmed(whole, 8000), whole[160:400])
    assert torch.equal(trimmed(torch.ones(7), 8000), torch.ones(7))


@pytest.mark.data
def test_the_published_recordings_are_as_said(tmp_path):
    sources = [folder for folder in SHARED if folder.is_dir()]
    if not sources:
        pytest.skip("no copy of the published files")
    assert script.SCRIPT.main(["--from", str(sources[0]), "--to", str(tmp_path / "fsdd")]) == 0
    official = FSDD(str(tmp_path), features=FEATURES).load()
    assert len(official["train"]) == 2700 and Counter(official["test"].texts) == dict.fromkeys(script.WORDS, 30)
    left_out = FSDD(str(tmp_path), "nicolas", strings=Strings(), features=FEATURES).load()
    assert len(left_out["test"]) == 100 and len(left_out["train"]) == 500
    seconds = sum(float(part.starts[-1]) for part in official.values()) / 8000
    assert seconds == pytest.approx(21.87 * 60, abs=1)
