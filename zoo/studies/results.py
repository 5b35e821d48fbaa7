"""The cells of a study that are done, one line of JSON each, under a first line that holds the definition.

A line is appended in one write and synced: a process that is killed leaves at most one torn line, which is dropped.
"""

import json
import os
from pathlib import Path
from typing import Any

from zoo.atomic import write_atomically
from zoo.errors import InputError
from zoo.studies.design import Cell, Figures


class Results:
    """Open, or begin, the file of a study.

    Args:
        path: of the file.
        definition: what all cells share.

    Raises:
        InputError: the file was begun with another definition, or is none.
    """

    def __init__(self, path: Path, definition: dict[str, Any]):
        self.path = path
        self.figures: dict[str, Figures] = {}
        self.seconds: dict[str, float] = {}
        self.errors: dict[str, str] = {}
        if not path.exists():
            write_atomically(path, json.dumps(definition) + "\n")
        first, *lines = self._whole_lines()
        _refuse_other(definition, first, path)
        for line in lines:
            self._take(line)

    def add(self, cell: Cell, figures: Figures | None, seconds: float, error: str = "") -> None:
        """Keep what a cell gave: its figures, or the error that ended it, which is tried again next time."""
        said = {"level": cell.level, "repetition": cell.repetition, "fold": cell.fold}
        line = {"key": cell.key, **said, "figures": figures, "seconds": round(seconds, 3), "error": error}
        try:
            with self.path.open("ab") as file:
                file.write((json.dumps(line) + "\n").encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error_:
            raise InputError(
                f"study: expected to write {self.path}, got {error_.strerror}; free disk space or mend permissions"
            ) from error_
        self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        key = line["key"]
        if line["figures"] is None:
            self.errors[key] = line["error"]
        else:
            self.errors.pop(key, None)
            self.figures[key], self.seconds[key] = line["figures"], line["seconds"]

    def _whole_lines(self) -> list[dict[str, Any]]:
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):  # torn by a kill or a full disk; what follows must not be glued to it
            os.truncate(self.path, len(whole))
        try:
            lines = [json.loads(line) for line in whole.splitlines()]
            return lines if "study" in lines[0] and all("key" in line for line in lines[1:]) else self._refuse()
        except (ValueError, IndexError, TypeError):
            return self._refuse()

    def _refuse(self) -> list:
        raise InputError(f"study: expected the cells of a study in {self.path}, got another file; remove it")


def _refuse_other(definition: dict[str, Any], former: dict[str, Any], path: Path) -> None:
    now, then = (_flat(json.loads(json.dumps(tree))) for tree in (definition, former))
    for key in [*then, *now]:
        if now.get(key) != then.get(key):
            raise InputError(
                f"study: expected {key} {then.get(key)}, with which {path.parent} was begun, got {now.get(key)}; "
                "take the former value, or begin another study with --output DIR"
            )


def _flat(tree: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict) or not tree:
        return {name: tree}
    return {k: v for key, value in tree.items() for k, v in _flat(value, f"{name}.{key}".lstrip(".")).items()}
