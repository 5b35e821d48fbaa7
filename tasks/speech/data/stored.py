"""Sets of utterances as scripts of `data_scripts/` store them: the fields of `Utterances` in one file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasks.speech.data.utterances import Utterances
from zoo.data.script import DataScript, Published
from zoo.data.stored import read_stored
from zoo.errors import InputError

FILE = "utterances.pt"
STRINGS = ("texts", "speakers", "names")


def contents_of(utterances: Utterances) -> dict[str, Any]:
    """What `write_stored` takes: strings as bytes, so that its hash holds for them too.

    Raises:
        InputError: a line break within a text, a speaker or a name.
    """
    packed = {field: _packed(getattr(utterances, field), field) for field in STRINGS}
    return {"samples_M": utterances.samples_M, "starts": utterances.starts, "rate": utterances.rate, **packed}


def utterances_of(contents: dict[str, Any]) -> Utterances:
    """The utterances that `contents_of` packed.

    >>> whole = Utterances.of([torch.zeros(3)], ["one"], ["jackson"], ["1_jackson_0.wav"], 8000)
    >>> utterances_of(contents_of(whole)).texts
    ['one']
    """
    strings = {field: _unpacked(contents[field]) for field in STRINGS}
    return Utterances(contents["samples_M"], contents["starts"], rate=contents["rate"], **strings)


def stored_utterances(root: str | Path, name: str) -> Utterances:
    """What `data_scripts/<name>.py` has written to `root/<name>/utterances.pt`.

    Raises:
        InputError: the file is missing, damaged or another script's.
    """
    path, script = Path(root) / name / FILE, f"data_scripts/{name}.py"
    contents = read_stored(path, script)
    try:
        return utterances_of(contents)
    except KeyError as error:
        raise InputError(f"data: expected what {script} wrote in {path}, got no {error}; run it again") from error


def utterance_script(
    name: str, about: str, files: list[Published], convert: Callable[[Path], Utterances]
) -> DataScript:
    """A script of `data_scripts/`: from the folder that holds the published files to stored utterances."""
    return DataScript(name, about, files, lambda downloads: contents_of(convert(downloads)), FILE)


def _packed(strings: list[str], field: str) -> Tensor:
    broken = next((one for one in strings if "\n" in one), None)
    if broken is not None:
        raise InputError(f"{field}: expected each on one line, got {broken!r}; put spaces in place of line breaks")
    whole = bytearray("".join(f"{one}\n" for one in strings).encode())
    return torch.frombuffer(whole, dtype=torch.uint8) if whole else torch.empty(0, dtype=torch.uint8)


def _unpacked(bytes_L: Tensor) -> list[str]:
    # Not str.splitlines, which cuts at characters within a text too; the last line break ends the last string.
    return bytes(bytes_L.numpy()).decode().split("\n")[:-1]
