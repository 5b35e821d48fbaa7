"""Utterances written to a file and read again."""

import hashlib

import pytest
import torch

from tasks.speech.data.stored import FILE, contents_of, stored_utterances, utterance_script, utterances_of
from tasks.speech.data.utterances import Utterances
from zoo.data.script import Published
from zoo.data.stored import read_stored, write_stored
from zoo.errors import InputError

TEXTS = ["", "dobrý\x85den\u2028tam", "one two"]


def made(texts=TEXTS) -> Utterances:
    """Utterance n has n + 1 samples, all of them (n + 1) / 8."""
    sounds = [torch.full((n + 1,), (n + 1) / 8) for n in range(len(texts))]
    return Utterances.of(
        sounds, texts, [f"s{n}" for n in range(len(texts))], [f"{n}.wav" for n in range(len(texts))], 8000
    )


@pytest.mark.parametrize("texts", [TEXTS, [""], ["", ""]])
def test_utterances_come_back_as_they_were(texts, tmp_path):
    write_stored(tmp_path / "made" / FILE, contents_of(made(texts)))
    whole, again = made(texts), stored_utterances(tmp_path, "made")
    for field in ("texts", "speakers", "names", "rate"):
        assert getattr(again, field) == getattr(whole, field)
    for n in range(len(texts)):
        assert again.samples(n).equal(whole.samples(n)) and len(again.samples(n)) == n + 1


def test_a_changed_transcript_is_noticed(tmp_path):
    write_stored(tmp_path / "made" / FILE, contents_of(made()))
    contents = torch.load(tmp_path / "made" / FILE, weights_only=True)
    contents["texts"][-2] += 1
    torch.save(contents, tmp_path / "made" / FILE)
    with pytest.raises(InputError, match="expected content"):
        stored_utterances(tmp_path, "made")


def test_a_transcript_of_two_lines_and_another_file_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"texts: expected each on one line, got 'a\\nb'"):
        contents_of(made(["a\nb"]))
    write_stored(tmp_path / "made" / FILE, {"samples_M": torch.zeros(1)})
    with pytest.raises(InputError, match=r"data_scripts/made\.py .* run it again"):
        stored_utterances(tmp_path, "made")


def test_a_script_stores_what_it_converts(tmp_path, capsys):
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "sounds.zip").write_bytes(b"one two")
    checksum = "sha256:" + hashlib.sha256(b"one two").hexdigest()
    files = [Published(["https://example.org/sounds.zip"], checksum)]
    script = utterance_script("made", "", files, lambda folder: made([(folder / "sounds.zip").read_text()]))
    assert script.main(["--from", str(tmp_path / "from"), "--to", str(tmp_path / "made")]) == 0
    assert stored_utterances(tmp_path, "made").texts == ["one two"]
    assert utterances_of(read_stored(tmp_path / "made" / FILE, "")).rate == 8000
