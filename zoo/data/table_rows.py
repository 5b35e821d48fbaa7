"""Rows of CSV, TSV and JSON-lines files, one at a time, each fault told with its file and line."""

import codecs
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from zoo.errors import InputError

DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
JSON_LINES = (".jsonl", ".ndjson")

Row = tuple[int, list[Any]]  # number of its first line, values of the columns asked for


def table_rows(
    path: Path,
    columns: list[str],
    encoding: str = "utf-8",
    quoted: bool | None = None,
    optional: tuple[str, ...] = (),
    mend: str = "set data.text and data.label to columns of it",
) -> Iterator[Row]:
    """(line, values of `columns`) of every row, in constant memory; rows without anything in them are passed over.

    Args:
        path: .csv, .tsv or .tab with names in the first row; .jsonl or .ndjson with an object a line.
        columns: their names.
        encoding: of the file.
        quoted: whether cells may stand in quotation marks; by default in .csv, not in .tsv.
        optional: those of `columns` that may be missing; their values are None then.
        mend: what to do where another one is missing.

    Raises:
        InputError: naming file, line and mend.
    """
    ending = path.suffix.lower()
    if ending not in DELIMITERS and ending not in JSON_LINES:
        known = ", ".join([*DELIMITERS, *JSON_LINES])
        raise InputError(f"{path}: expected a file named {known}, got {ending or 'no ending'!r}; rename or convert it")
    if not path.is_file():
        raise InputError(f"{path}: expected a table, got no such file; mend the path")
    try:
        # A byte-order mark is none of the first column's name.
        codec = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    except LookupError as error:
        raise InputError(f"data.encoding: expected one that Python knows, got {encoding!r}; utf-8 is usual") from error
    lines = ending in JSON_LINES
    try:
        with path.open(encoding=codec, newline="\n" if lines else "") as file:
            asked = Asked(path, columns, optional, mend)
            yield from _json_rows(file, asked) if lines else _cell_rows(file, asked, DELIMITERS[ending], quoted)
    except UnicodeError as error:
        raise InputError(_undecodable(path, codec, error)) from error


class Asked(NamedTuple):
    """Of which file which columns."""

    path: Path
    columns: list[str]
    optional: tuple[str, ...]
    mend: str


def _cell_rows(file: TextIO, asked: Asked, delimiter: str, quoted: bool | None) -> Iterator[Row]:
    path = asked.path
    by_marks = delimiter == "," if quoted is None else quoted
    reader = csv.reader(
        file, delimiter=delimiter, strict=True, quoting=csv.QUOTE_MINIMAL if by_marks else csv.QUOTE_NONE
    )
    line, names, places = 1, None, []
    try:
        for cells in reader:
            if names is None and cells:
                names = cells
                places = [_place(names, column, asked) for column in asked.columns]
            elif cells:
                if len(cells) != len(names):
                    mend = "quote a cell that holds the delimiter" if by_marks else "mend the row"
                    raise InputError(f"{path}: expected {len(names)} cells in line {line}, got {len(cells)}; {mend}")
                yield line, [None if place is None else cells[place] for place in places]
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{path}: expected a whole row from line {line}, got {error}; mend its quotation marks"
        ) from error
    if names is None:
        raise InputError(f"{path}: expected a row of column names, got an empty file; mend the path")


def _place(names: list[str], column: str, asked: Asked) -> int | None:
    if names.count(column) == 1:
        return names.index(column)
    if column in asked.optional and column not in names:
        return None
    got = f"it {names.count(column)} times" if column in names else "only " + ", ".join(map(repr, names))
    raise InputError(f"{asked.path}: expected a column {column!r}, got {got}; {asked.mend}")


def _json_rows(file: TextIO, asked: Asked) -> Iterator[Row]:
    path = asked.path
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}: expected JSON in line {number}, got {error}; mend the line") from error
        if not isinstance(row, dict):
            raise InputError(f"{path}: expected an object in line {number}, got {line.strip()[:40]!r}; mend the line")
        if missing := [one for one in asked.columns if one not in row and one not in asked.optional]:
            raise InputError(
                f"{path}: expected {missing[0]!r} in line {number}, got only {', '.join(map(repr, row))}; "
                f"{asked.mend}, or mend the line"
            )
        yield number, [row.get(column) for column in asked.columns]


def _undecodable(path: Path, codec: str, error: UnicodeError) -> str:
    """The complaint, with line and byte, which the error of a file read in pieces does not know."""
    with path.open("rb") as file:
        start = file.read(2)
        mend = "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "the file's, such as cp1252"
        file.seek(0)
        before = 0
        for number, line in enumerate(file, 1):
            try:
                line.decode(codec)
            except UnicodeDecodeError as bad:
                byte = f"byte {line[bad.start]:#04x} at {before + bad.start}, in line {number}"
                return f"{path}: expected {codec.removesuffix('-sig')}, got {byte}; set data.encoding to {mend}"
            except UnicodeError:  # utf-16 without its mark: no line tells more than the whole
                break
            before += len(line)
    return f"{path}: expected {codec.removesuffix('-sig')}, got {error}; set data.encoding to {mend}"
