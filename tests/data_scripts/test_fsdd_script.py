"""Spoken digits: the script on a small made archive."""

import hashlib
import io
import tarfile
import wave
from functools import partial

import numpy as np
import pytest

from data_scripts import fsdd
from tasks.speech.data.stored import stored_utterances, utterance_script
from zoo.data.script import Published
from zoo.errors import InputError


def wav(values, rate=8000) -> bytes:
    whole = io.BytesIO()
    with wave.open(whole, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.array(values, "<i2").tobytes())
    return whole.getvalue()


def archive(path, contents: dict[str, bytes]) -> str:
    """Writes an archive; the checksum of its recordings, computed by hand."""
    with tarfile.open(path, "w:gz") as files:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            files.addfile(member, io.BytesIO(content))
    names = [name.rpartition("/")[2] for name in contents if "recordings/" in name]
    ordered = sorted(names, key=fsdd.order_of)
    by_name = {name.rpartition("/")[2]: content for name, content in contents.items()}
    rows = b"".join(name.encode() + hashlib.sha256(by_name[name]).digest() for name in ordered)
    return "sha256:" + hashlib.sha256(rows).hexdigest()


CONTENTS = {
    "set-1.0.10/README.md": b"digits",
    "set-1.0.10/recordings/7_theo_0.wav": wav([7, -7, 70]),
    "set-1.0.10/recordings/0_theo_12.wav": wav([-32768, 32767]),
    "set-1.0.10/recordings/0_theo_2.wav": wav([1]),
    "set-1.0.10/recordings/9_jackson_3.wav": wav([9] * 9),
}


def script_of(checksum):
    files = [Published(["https://example.org/" + fsdd.ARCHIVE], "")]
    return utterance_script("fsdd", "", files, partial(fsdd.convert, checksum=checksum))


def test_recordings_become_utterances_sample_for_sample(tmp_path):
    checksum = archive(tmp_path / fsdd.ARCHIVE, CONTENTS)
    assert script_of(checksum).main(["--from", str(tmp_path), "--to", str(tmp_path / "fsdd")]) == 0
    whole = stored_utterances(tmp_path, "fsdd")
    assert whole.names == ["9_jackson_3.wav", "0_theo_2.wav", "0_theo_12.wav", "7_theo_0.wav"]  # 2 before 12
    assert whole.texts == ["nine", "zero", "zero", "seven"] and whole.speakers == ["jackson"] + ["theo"] * 3
    assert [whole.samples_M[a:b].tolist() for a, b in zip(whole.starts[:-1], whole.starts[1:], strict=True)] == [
        [9] * 9,
        [1],
        [-32768, 32767],
        [7, -7, 70],
    ]


def test_other_recordings_are_refused_and_fetched_anew(tmp_path, capsys):
    checksum = archive(tmp_path / fsdd.ARCHIVE, CONTENTS)
    archive(tmp_path / fsdd.ARCHIVE, CONTENTS | {"set-1.0.10/recordings/0_theo_2.wav": wav([2])})
    to = tmp_path / "fsdd"
    assert script_of(checksum).main(["--from", str(tmp_path), "--to", str(to)]) == 2
    assert f"expected recordings of {checksum}, got 4 of sha256:" in capsys.readouterr().err
    assert not (to / "downloads" / fsdd.ARCHIVE).exists()  # else it would be taken for a whole download


def test_what_is_no_archive_or_no_such_recording_is_one_line(tmp_path):
    (tmp_path / fsdd.ARCHIVE).write_bytes(b"<html>")
    with pytest.raises(InputError, match=r"expected a \.tar\.gz") as error:
        fsdd.recordings(tmp_path / fsdd.ARCHIVE)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"1 channel of 16 bits at 8000 Hz, got \(1, 16, 16000\)"):
        fsdd.samples(wav([1], 16000), "0_theo_0.wav")
