"""Sets as they lie on disk, made small in their published formats, and what is said of bad ones."""

import csv
import json
import struct

import numpy as np
import pytest
import torch

from tasks.speech.data.librispeech import LibriSpeech
from tasks.speech.data.ljspeech import LJSpeech
from tasks.speech.data.manifest import Manifest
from tasks.speech.data.speech_commands import SpeechCommands
from tasks.speech.data.timit import CORE_TEST, TIMIT, VALIDATION, folded
from tasks.speech.data.yesno import YesNo
from tasks.speech.features import Features
from zoo.errors import InputError

soundfile = pytest.importorskip("soundfile")
FEATURES = Features(rate=8000, bands=20)


def write(path, seconds=0.5, rate=8000, loud=0.3, **options):
    """A sound with its own pitch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pitch = 200 + sum(map(ord, path.name)) % 700
    samples = loud * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)
    soundfile.write(str(path), samples, rate, **options)


def transcripts(data) -> dict[str, list[tuple[str, str]]]:
    """(text, speaker) of every utterance, by split, of data that have been set up."""
    data.setup()
    for split in data.splits.values():
        assert torch.equal(split.starts, torch.arange(len(split) + 1) * 4000)  # half a second at 8 kHz
    return {name: list(zip(split.texts, split.speakers, strict=True)) for name, split in data.splits.items()}


def test_librispeech(tmp_path):
    for part, speaker in (("train-clean-100", "19"), ("dev-clean", "84"), ("test-clean", "61")):
        folder = tmp_path / "LibriSpeech" / part / speaker / "198"
        for n in range(2):
            write(folder / f"{speaker}-198-{n:04}.flac", rate=16_000)
        lines = [f"{speaker}-198-{n:04} NORTHANGER ABBEY'S {'I' * (n + 1)}\n" for n in range(2)]
        (folder / f"{speaker}-198.trans.txt").write_text("".join(lines))
    found = transcripts(LibriSpeech(str(tmp_path), features=FEATURES))
    assert found["train"] == [("northanger abbey's i", "19"), ("northanger abbey's ii", "19")]
    assert [speaker for split in ("validation", "test") for _, speaker in found[split]] == ["84", "84", "61", "61"]
    with pytest.raises(InputError, match=r"expected LibriSpeech's dev-other in .* got no transcripts"):
        LibriSpeech(str(tmp_path), validation=("dev-other",), features=FEATURES).setup()


def test_speech_commands(tmp_path):
    for word in ("yes", "no", "_background_noise_"):
        for speaker in ("a1", "b2", "c3"):
            write(tmp_path / word / f"{speaker}_nohash_0.wav", rate=16_000)
    (tmp_path / "validation_list.txt").write_text("yes/b2_nohash_0.wav\nno/b2_nohash_0.wav\n")
    (tmp_path / "testing_list.txt").write_text("yes/c3_nohash_0.wav\nno/c3_nohash_0.wav\n")
    found = transcripts(SpeechCommands(str(tmp_path), features=FEATURES))
    assert found == {
        split: [("no", speaker), ("yes", speaker)]
        for split, speaker in (("train", "a1"), ("validation", "b2"), ("test", "c3"))
    }
    assert transcripts(SpeechCommands(str(tmp_path), ("yes",), features=FEATURES))["train"] == [("yes", "a1")]
    with pytest.raises(InputError, match=r"data\.words: expected folders of .*, got maybe"):
        SpeechCommands(str(tmp_path), ("yes", "maybe"), features=FEATURES).setup()


def test_yesno(tmp_path):
    for name in ("0_0_1_1_0_0_1_0", "0_1_0_0_0_0_0_0", "1_0_0_0_1_1_1_1", "1_1_1_1_1_1_1_1"):
        write(tmp_path / "waves_yesno" / f"{name}.wav")
    found = transcripts(YesNo(str(tmp_path), features=FEATURES))
    assert found["train"][0] == ("no no yes yes no no yes no", "speaker")
    assert [text for text, _ in found["test"]] == ["yes no no no yes yes yes yes", " ".join(["yes"] * 8)]


def test_ljspeech_keeps_quotation_marks_out_of_the_format(tmp_path):
    texts = [
        f'"Dog {n}|the quick, "brown" fox jumps over lazy dog {letter}'
        for n, letter in enumerate("abcdefghijklmnopqrstuvwxyz")
    ]
    lines = [f"LJ001-{n:04}|{text}\n" for n, text in enumerate(texts)]
    for n in range(len(texts)):
        write(tmp_path / "LJSpeech-1.1" / "wavs" / f"LJ001-{n:04}.wav", rate=16_000)
    (tmp_path / "LJSpeech-1.1" / "metadata.csv").write_text("".join(lines))
    found = transcripts(LJSpeech(str(tmp_path), features=FEATURES))
    said = sorted(text for rows in found.values() for text, _ in rows)
    assert said == [f"the quick brown fox jumps over lazy dog {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    assert found == transcripts(LJSpeech(str(tmp_path), features=FEATURES))


def timit_speaker(root, part, speaker, capital=True):
    for name in ("SA1", "SI1027"):
        path = root / part / "DR1" / speaker.upper() / f"{name}.WAV"
        write(path, rate=16_000, format="NIST")
        path.with_suffix(".PHN").write_text("0 3050 h#\n3050 4559 sh\n4559 5723 ix\n5723 6642 hv\n6642 8772 q\n")
        path.with_suffix(".TXT").write_text("0 46797 She had your dark suit, in greasy wash-water.\n")


def test_timit(tmp_path):
    for part, speaker in (("TRAIN", "fcjf0"), ("TEST", "mdab0"), ("TEST", "faks0"), ("TEST", "mxxx0")):
        timit_speaker(tmp_path, part, speaker)
    for units, text in (("phones_39", "sil sh ih hh"), ("phones_61", "h# sh ix hv q")):
        found = transcripts(TIMIT(str(tmp_path), units, features=FEATURES))
        assert found == {"train": [(text, "fcjf0")], "validation": [(text, "faks0")], "test": [(text, "mdab0")]}
    letters = transcripts(TIMIT(str(tmp_path), "letters", features=FEATURES))
    assert letters["train"][0][0] == "she had your dark suit in greasy washwater"


def test_timits_speakers_and_phones_are_the_published_ones():
    """24 core test speakers, two men and a woman of each of eight dialects, and 50 others; 61 phones fold to 39."""
    core, validation = CORE_TEST.split(), VALIDATION.split()
    assert (len(set(core)), sum(name[0] == "m" for name in core), len(set(validation))) == (24, 16, 50)
    assert not set(core) & set(validation)
    phones = (
        "iy ih eh ae ix ax ah uw ux uh ao aa ey ay oy aw ow l el r y w er axr m em n nx en ng eng ch jh dh b d dx g p "
        "t k z zh v f th s sh hh hv pcl tcl kcl qcl bcl dcl gcl epi h# pau ax-h q"
    ).replace("qcl ", "")
    assert len(set(phones.split())) == 61
    assert len({unit for phone in phones.split() for unit in folded([phone])}) == 39


def manifest(folder, rows, ending="csv"):
    path = folder / f"manifest.{ending}"
    if ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return str(path)


def rows_of(folder, count=4):
    rows = []
    for n in range(count):
        write(folder / "sounds" / f"{n}.wav", rate=8000)
        row = {"path": f"sounds/{n}.wav", "text": f"Ban,  {'ab'[n // 2 % 2]}", "speaker": f"s{n}"}
        rows.append(row | {"split": ("train", "test")[n % 2]})
    return rows


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_manifest(ending, tmp_path):
    rows = rows_of(tmp_path)
    found = transcripts(Manifest(manifest(tmp_path, rows, ending), features=FEATURES))
    assert found["train"] == [("ban, a", "s0"), ("ban, b", "s2")]
    assert found["test"] == [("ban, a", "s1"), ("ban, b", "s3")]


def test_without_a_column_of_splits_no_speaker_is_in_two(tmp_path):
    rows = [{k: v for k, v in row.items() if k != "split"} for row in rows_of(tmp_path, 40)]
    rows = [row | {"speaker": f"s{n // 2}"} for n, row in enumerate(rows)]
    found = transcripts(Manifest(manifest(tmp_path, rows), features=FEATURES))
    speakers = [{speaker for _, speaker in split} for split in found.values()]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 20
    alone = [{"path": row["path"], "text": row["text"]} for row in rows]
    with pytest.raises(InputError, match="expected enough different speakers to split by, got 1; add a column"):
        Manifest(manifest(tmp_path, alone), features=FEATURES).setup()


def test_all_missing_files_are_told_at_once(tmp_path):
    rows = rows_of(tmp_path)
    for n in (0, 3):
        (tmp_path / "sounds" / f"{n}.wav").unlink()
    data = Manifest(manifest(tmp_path, rows), features=FEATURES)
    with pytest.raises(InputError, match=r"4 sound files, .* 2 paths: \S*sounds/0.wav, \S*sounds/3.wav; mend") as error:
        data.setup()
    assert "\n" not in str(error.value)
    data = Manifest(manifest(tmp_path, rows), features=FEATURES, skip_bad=True)
    data.setup()
    assert [len(split) for split in data.splits.values()] == [1, 1]
    assert sorted(path[-5:] for path in data.skipped) == ["0.wav", "3.wav"]


def empty(path):
    write(path, seconds=0)


def silent(path):
    write(path, loud=0)


def clipped(path):
    write(path, loud=1.0)


def truncated(path):
    path.write_bytes(path.read_bytes()[:2000])


def no_audio(path):
    path.write_text("Who speaks?")


def rate_of_zero(path):
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", 0)
    path.write_bytes(bytes(content))


def endless(path):
    write(path, seconds=70)


def promising(path):
    """A header of four hours over half a second."""
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", 4 * 3600 * 16_000)
    content[4:8] = struct.pack("<I", 4 * 3600 * 16_000 + 36)
    path.write_bytes(bytes(content))


BAD = {
    empty: "expected sound, got 0 samples",
    silent: "got silence throughout",
    clipped: "at full scale, got .* it is clipped",
    truncated: "cut off, fetch it again|expected a wav",
    no_audio: "expected a wav, flac, ogg or mp3 file",
    rate_of_zero: "expected a wav, flac|sample rate: expected 1 or more",
    endless: r"expected at most 60 s of sound, got 70\.0",
    promising: "expected at most 60 s of sound, got 1|cut off",
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_a_bad_file_is_one_line_or_left_out(spoil, tmp_path):
    rows = rows_of(tmp_path)
    spoil(tmp_path / "sounds" / "2.wav")
    with pytest.raises(InputError, match=BAD[spoil]) as error:
        Manifest(manifest(tmp_path, rows), features=FEATURES).setup()
    assert "2.wav" in str(error.value) and "\n" not in str(error.value) and "data.skip_bad" in str(error.value)
    data = Manifest(manifest(tmp_path, rows), features=FEATURES, skip_bad=True)
    data.setup()
    assert data.splits["train"].speakers == ["s0"]
    assert [path[-5:] for path in data.skipped] == ["2.wav"]


def test_a_letter_that_training_has_not_is_told_with_its_file(tmp_path):
    rows = rows_of(tmp_path)
    rows[1]["text"] = "ban ab ž"
    with pytest.raises(InputError, match=r"1\.wav: expected the alphabet .*, got 'ž' in 'ban ab ž'"):
        Manifest(manifest(tmp_path, rows), features=FEATURES).setup()
    rows[1]["text"] = "ban, a"
    rows[3]["split"] = "tset"
    with pytest.raises(InputError, match="expected splits train, validation, test, got 'tset'"):
        Manifest(manifest(tmp_path, rows), features=FEATURES).setup()
    del rows[3]["split"]
    rows = [{"path": row["path"], "said": row["text"]} for row in rows]
    with pytest.raises(
        InputError, match=r"expected a column 'text', got only 'path', 'said'; the columns are path, te"
    ):
        Manifest(manifest(tmp_path, rows), features=FEATURES).setup()
