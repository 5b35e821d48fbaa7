"""Converted data sets: tensors and names in one file that loads without running code, with its own checksum."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.atomic import reraise_interrupt
from zoo.data.checks import content_hash
from zoo.errors import InputError


def write_stored(path: Path, contents: dict[str, Any]) -> None:
    """Write tensors, strings and lists to `path`, whole or not at all, with a hash of the tensors.

    Raises:
        InputError: the disk is full or the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(contents | {"content_hash": _hash(contents)}, partial)
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # torch's own writer says RuntimeError when the disk is full
        reraise_interrupt(error)
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(
            f"{path.name}: expected to write {path}, got {reason}; free space or mend permissions"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def read_stored(path: Path, script: str) -> dict[str, Any]:
    """What `write_stored` wrote; its hash is computed anew, 0.04 s for 55 MB.

    Args:
        path: of the file.
        script: that makes it, for the message.

    Raises:
        InputError: the file is missing, damaged or not such a file.
    """
    if not path.is_file():
        raise InputError(f"data: expected {path}, got no such file; make it with: python {script}")
    try:
        contents = torch.load(path, weights_only=True)
        known = contents.pop("content_hash")
    except Exception as error:  # torch raises a dozen kinds for a damaged file
        raise InputError(
            f"data: expected what {script} wrote, got a damaged {path}; delete it, run that again"
        ) from error
    if (got := _hash(contents)) != known:
        raise InputError(f"data: expected content {known} in {path}, got {got}; delete it and run {script} again")
    return contents


def _hash(contents: dict[str, Any]) -> str:
    return content_hash(*(value for _, value in sorted(contents.items()) if isinstance(value, Tensor)))
