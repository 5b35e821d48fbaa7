"""Text files written in one move."""

import os
from pathlib import Path

from zoo.errors import InputError


def write_atomically(path: Path, text: str) -> None:
    """Write a file beside `path` and move it there: a reader never sees half of it.

    Raises:
        InputError: the disk is full or the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(
            f"{path.name}: expected to write {path}, got {error.strerror}; free disk space or mend permissions"
        ) from error
