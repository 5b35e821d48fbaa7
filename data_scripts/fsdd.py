"""Free Spoken Digit Dataset, release 1.0.10 (doi 10.5281/zenodo.1342401) -> data/fsdd/utterances.pt.

The set's home: https://github.com/Jakobovski/free-spoken-digit-dataset. CC BY-SA 4.0.
"""

import hashlib
import io
import re
import tarfile
import wave
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tasks.speech.data.stored import utterance_script
from tasks.speech.data.utterances import Utterances
from zoo.data.script import Published
from zoo.errors import InputError

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ARCHIVE = "free-spoken-digit-dataset.tar.gz"
HOME = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/v1.0.10/"
NAME = re.compile(r"([0-9])_([a-z]+)_([0-9]+)\.wav")
RATE = 8000
# Of the recordings, not of the archive: each place packs that anew.
CHECKSUM = "sha256:77d6581206624b4e67112744929adaa6b3dee330f77d1aed92486558ec4d8805"


def order_of(name: str) -> tuple[str, int, int]:
    """Speaker, digit, index of a recording, by which a set is sorted.

    >>> order_of("7_jackson_32.wav")
    ('jackson', 7, 32)
    """
    digit, speaker, index = NAME.fullmatch(name).groups()
    return speaker, int(digit), int(index)


def recordings(archive: Path) -> dict[str, bytes]:
    """Name -> contents of every recording of the archive, sorted.

    Raises:
        InputError: it is no such archive.
    """
    try:
        with tarfile.open(archive, "r:gz") as files:
            members = {member.name.rpartition("/")[2]: member for member in files if "recordings/" in member.name}
            found = {name: files.extractfile(one).read() for name, one in members.items() if NAME.fullmatch(name)}
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(f"{archive.name}: expected a .tar.gz, got {error}; fetch it anew") from error
    return {name: found[name] for name in sorted(found, key=order_of)}


def check(found: dict[str, bytes], checksum: str) -> None:
    """Refuse recordings other than the published ones.

    Raises:
        InputError: their checksum is another.
    """
    digest = hashlib.sha256()
    for name, content in found.items():
        digest.update(name.encode() + hashlib.sha256(content).digest())
    got = f"sha256:{digest.hexdigest()}"
    if got != checksum:
        raise InputError(
            f"{ARCHIVE}: expected recordings of {checksum}, got {len(found)} of {got}; it is damaged or another "
            "release, fetch anew"
        )


def samples(content: bytes, name: str) -> Tensor:
    """Samples of a wav file, int16 [S], exactly as they were recorded.

    Raises:
        InputError: another rate, width or number of channels.
    """
    with wave.open(io.BytesIO(content)) as file:
        got = file.getnchannels(), file.getsampwidth() * 8, file.getframerate()
        if got != (1, 16, RATE):
            raise InputError(f"{name}: expected 1 channel of 16 bits at {RATE} Hz, got {got}; fetch the archive anew")
        return torch.from_numpy(np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16))


def utterances(found: dict[str, bytes]) -> Utterances:
    """Recordings as utterances: a digit's word, its speaker, the file's name."""
    sounds = [samples(content, name) for name, content in found.items()]
    starts = torch.tensor([0, *map(len, sounds)]).cumsum(0)
    orders = [order_of(name) for name in found]
    texts, speakers = [WORDS[digit] for _, digit, _ in orders], [speaker for speaker, *_ in orders]
    return Utterances(torch.cat(sounds), starts, texts, speakers, list(found), RATE)


def convert(folder: Path, checksum: str = CHECKSUM) -> Utterances:
    """The utterances of the archive in `folder`, which is removed when it is not the published one."""
    try:
        found = recordings(folder / ARCHIVE)
        check(found, checksum)
    except InputError:
        (folder / ARCHIVE).unlink()
        raise
    return utterances(found)


SCRIPT = utterance_script(
    name="fsdd",
    about="FSDD: 3,000 recordings of the ten digits by six speakers, 8 kHz, 22 minutes; CC BY-SA 4.0; 16 MB to fetch.",
    files=[Published([HOME + ARCHIVE], checksum="")],
    convert=convert,
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
