"""Files written in one move."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from zoo.errors import InputError


@contextmanager
def writing_atomically(path: Path, binary: bool = False) -> Iterator[IO]:
    """A file beside `path` to write to, moved there at the end: a reader never sees half of it; after an error none is.

    Raises:
        InputError: the disk is full or the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") if binary else partial.open("w", encoding="utf8", newline="") as file:
            yield file
        os.replace(partial, path)
    except OSError as error:
        raise InputError(
            f"{path.name}: expected to write {path}, got {error.strerror}; free disk space or mend permissions"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a text or bytes in one move; see `writing_atomically`."""
    with writing_atomically(path, binary=isinstance(content, bytes)) as file:
        file.write(content)


def reraise_interrupt(error: BaseException) -> None:
    """Raise the Ctrl-C in whose wake `error` came, if there was one.

    torch closes a broken-off archive with a RuntimeError of its own, which would pass for a full disk.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (KeyboardInterrupt, SystemExit)):
            raise cause
        cause = cause.__context__
