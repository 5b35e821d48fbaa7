"""A file of sentences -> a file of answers, a few hundred sentences at a time.

Legend: C = classes.
"""

import csv
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from torch import nn
from tqdm import tqdm

from tasks.text.data import TextData
from tasks.text.judged import answers_to
from zoo.atomic import writing_atomically
from zoo.data.table_rows import DELIMITERS, JSON_LINES, table_rows
from zoo.errors import InputError

AT_ONCE = 512  # sentences
LONGEST = 1 << 18  # characters of one; longer "sentences" are files without line ends
MOST_BYTES = 4 * LONGEST + 2

Sentence = tuple[int, str]  # line, text


def answer_file(net: nn.Module, data: TextData, file: Path, column: str | None, output: Path) -> int:
    """Answer every sentence of a file, in constant memory; returns how many there were.

    Args:
        net, data: the sentence net, its tokeniser and class names.
        file: a sentence a line, where an empty line is an empty sentence; or a .csv, .tsv or .jsonl.
        column: of a table; "text" by default.
        output: .jsonl, .csv or .tsv: line, class, its probability, and the probability of every class. It appears
            whole, in one move, or not at all.

    Raises:
        InputError: a file that cannot be read or written, naming the line.
    """
    ending = output.suffix.lower()
    if ending not in (".jsonl", ".csv", ".tsv"):
        raise InputError(f"--output: expected a file named .jsonl, .csv or .tsv, got {output.name}; rename it")
    if output.resolve() == file.resolve():
        raise InputError(f"--output: expected another file than --file, got {output} twice; mend one of them")
    rows, count = sentences_of(file, column), 0
    with writing_atomically(output) as out, tqdm(unit=" sentences", disable=None, leave=False) as bar:
        write = row_writer(out, ending, data.class_names)
        while some := list(islice(rows, AT_ONCE)):
            seen = answers_to(net, data.tokeniser, [text for _, text in some])
            for (line, _), chances in zip(some, seen.probabilities_NC.tolist(), strict=True):
                write(line, chances)
            count += len(some)
            bar.update(len(some))
    return count


def sentences_of(file: Path, column: str | None) -> Iterator[Sentence]:
    """(line, text) of every sentence, one at a time.

    Raises:
        InputError: naming file and line.
    """
    if file.suffix.lower() in (*DELIMITERS, *JSON_LINES):
        rows = ((line, values[0]) for line, values in table_rows(file, [column or "text"]))
    elif column is not None:
        raise InputError(f"--column: expected a .csv, .tsv or .jsonl file with columns, got {file.name}; leave it out")
    else:
        rows = lines_of(file)
    for line, text in rows:
        yield line, checked(text, file, line)


def lines_of(file: Path) -> Iterator[Sentence]:
    """The lines of a text file in UTF-8; a byte-order mark is none of the first."""
    if not file.is_file():
        raise InputError(f"--file: expected a file of sentences, got {file}, which does not exist; mend the path")
    with file.open("rb") as source:
        # A line is read up to a length only: a file without line ends must not fill the memory.
        for number, line in enumerate(iter(lambda: source.readline(MOST_BYTES), b""), 1):
            if len(line) == MOST_BYTES:
                raise too_long(file, number)
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                byte = f"byte {line[error.start]:#04x} in line {number}"
                raise InputError(f"{file}: expected UTF-8, got {byte}; convert the file to UTF-8") from error
            yield number, text.removesuffix("\n").removesuffix("\r")


def too_long(file: Path, line: int) -> InputError:
    """The complaint about a line that is no sentence."""
    return InputError(
        f"{file}: expected a sentence of at most {LONGEST:,} characters in line {line}, got more; cut it into lines"
    )


def checked(text: Any, file: Path, line: int) -> str:
    """The text of a row.

    Raises:
        InputError: none, half characters, or far too much.
    """
    if not isinstance(text, str):
        raise InputError(f"{file}: expected text in line {line}, got {text!r}; choose another --column")
    if len(text) > LONGEST:
        raise too_long(file, line)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{file}: expected text in line {line}, got half a character; mend the line") from error
    return text


def row_writer(out: TextIO, ending: str, class_names: list[str]) -> Callable[[int, list[float]], None]:
    """(line, probabilities of the classes) -> a row of the output."""

    def json_row(line: int, chances: list[float]) -> None:
        best, named = _best(chances, class_names)
        row = {"line": line, "class": best, "probability": round(max(chances), 6), "probabilities": named}
        out.write(json.dumps(row, ensure_ascii=False) + "\n")

    if ending == ".jsonl":
        return json_row
    table = csv.writer(out, delimiter=DELIMITERS[ending], lineterminator="\n")
    table.writerow(["line", "class", "probability", *class_names])

    def table_row(line: int, chances: list[float]) -> None:
        best, named = _best(chances, class_names)
        table.writerow([line, best, round(max(chances), 6), *named.values()])

    return table_row


def _best(chances: list[float], class_names: list[str]) -> tuple[str, dict[str, float]]:
    named = {name: round(chance, 6) for name, chance in zip(class_names, chances, strict=True)}
    return class_names[chances.index(max(chances))], named
