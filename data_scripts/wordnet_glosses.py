"""WordNet 3.0's noun definitions (Miller 1995; Fellbaum 1998) -> tasks/text/data/glosses/glosses.tsv.gz.

    python data_scripts/wordnet_glosses.py --from DIR [--to DIR]

DIR holds data.noun as in Debian's package wordnet-base (usr/share/wordnet). A definition is a gloss before its first
example; its class is the lexicographer file that the noun stands in. Definitions whose hypernym is the same, which are
alike ("a city in ..."), are all for training, all for validation or all for testing. The licence, which asks to go
wherever the text goes, and the origin lie beside the result.
"""

import argparse
import gzip
import hashlib
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tasks.text.data.glosses import CLASSES, FILE, FOLDER
from zoo.data.fetch import digest_of
from zoo.errors import InputError

NAME = "data.noun"
CHECKSUM = "sha256:fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2"
FIRST_FILE = 3  # noun.Tops; 0-2 hold adjectives and adverbs
SHARES = {"test": 0.2, "validation": 0.1}  # of all; of what is then left
SENTENCES, AT_LEAST = 18_000, 150  # in all, about; of a class, where it has as many
SIBLINGS = 20  # at most, of one hypernym: "city" has 497, and alone would make half of a class


@dataclass(frozen=True)
class Definition:
    """A noun's: byte offset of its synset, class 0..25, offsets of its hypernyms, text."""

    synset: str
    label: int
    hypernyms: tuple[str, ...]
    text: str


def definition(line: str) -> Definition:
    """A line of data.noun: offset, file, n, words in hexadecimal, words, pointers, what they are, `| gloss` (wndb(5)).

    Raises:
        ValueError, IndexError: it is no such line.
    """
    head, bar, gloss = line.partition(" | ")
    fields = head.split(" ")
    if not bar or fields[2] != "n":
        raise ValueError("expected a noun and its gloss")
    at = 4 + 2 * int(fields[3], 16)
    pointers = [fields[i : i + 2] for i in range(at + 1, at + 1 + 4 * int(fields[at]), 4)]
    hypernyms = tuple(offset for symbol, offset in pointers if symbol in ("@", "@i"))  # a class's, an instance's
    return Definition(fields[0], int(fields[1]) - FIRST_FILE, hypernyms, gloss.split('; "')[0].strip(" ;\n"))


def definitions(path: Path) -> list[Definition]:
    """All of the file; the licence at its top is indented.

    Raises:
        InputError: naming the first line that is none.
    """
    found = []
    with path.open(encoding="utf8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("  "):
                continue
            try:
                found.append(definition(line))
                CLASSES[found[-1].label]
            except (ValueError, IndexError) as error:
                raise InputError(
                    f"{path.name}: expected a noun in line {number}, got {line[:40]!r}; take WordNet 3.0's"
                ) from error
    return found


def normal_form(text: str) -> str:
    """Lower-case words without marks, numbers and articles: texts with the same one are near duplicates.

    >>> normal_form("A poet (1771-1832)"), normal_form("the poet")
    ('poet', 'poet')
    """
    return " ".join(word for word in re.findall(r"[^\W\d_]+", text.lower()) if word not in ("a", "an", "the"))


def distinct(every: Iterable[Definition]) -> list[Definition]:
    """The first of those with the same normal form, none where they are of several classes; three words or more.

    A noun with several hypernyms is left out: it would tie their groups together.
    """
    alike = defaultdict(list)
    for one in every:
        alike[normal_form(one.text)].append(one)
    single = (same[0] for same in alike.values() if len({one.label for one in same}) == 1)
    return [one for one in single if len(one.hypernyms) == 1 and len(normal_form(one.text).split()) >= 3]


def chance(*names: str) -> float:
    """A number in [0, 1) that depends on the names alone, and seems drawn evenly."""
    return int.from_bytes(hashlib.sha256(" ".join(names).encode()).digest()[:6], "big") / 2**48


def split_of(hypernym: str) -> str:
    """train, validation or test."""
    if chance("test", hypernym) < SHARES["test"]:
        return "test"
    return "validation" if chance("validation", hypernym) < SHARES["validation"] else "train"


def sample(every: list[Definition], sentences: int = SENTENCES, at_least: int = AT_LEAST) -> list[Definition]:
    """About so many, each class in proportion, but `at_least` of a class that has them; few of one hypernym."""
    families, classes = defaultdict(list), defaultdict(list)
    for one in sorted(every, key=lambda one: chance("sample", one.synset)):
        families[one.hypernyms].append(one)
        if len(families[one.hypernyms]) <= SIBLINGS:
            classes[one.label].append(one)
    share = min(1, sentences / max(1, sum(map(len, classes.values()))))
    kept = (one for members in classes.values() for one in members[: max(at_least, round(share * len(members)))])
    return sorted(kept, key=lambda one: chance("order", one.synset))


def table(chosen: list[Definition]) -> bytes:
    """Lines of split, class, hypernym's offset and text, tabs between."""
    rows = ((split_of(one.hypernyms[0]), CLASSES[one.label], one.hypernyms[0], one.text) for one in chosen)
    return "".join("\t".join(row) + "\n" for row in rows).encode()


def write_glosses(source: Path, path: Path) -> int:
    """Write `path`, whole or not at all; returns its number of lines.

    Raises:
        InputError: a damaged source; the disk refuses.
    """
    chosen = sample(distinct(definitions(source)))
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(gzip.compress(table(chosen), mtime=0))
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"{path}: expected to write it, got {error.strerror}; free space or mend it") from error
    finally:
        partial.unlink(missing_ok=True)
    return len(chosen)


def published(folder: Path) -> Path:
    """data.noun of that folder.

    Raises:
        InputError: no such file, or another version, which would give another sample.
    """
    path = folder / NAME
    if not path.is_file():
        raise InputError(f"--from: expected {NAME} in {folder}, got no such file; it is in Debian's wordnet-base")
    if (got := digest_of(path, CHECKSUM)) != CHECKSUM:
        raise InputError(f"{path}: expected {CHECKSUM}, got {got}; take that of Debian's wordnet-base 1:3.0-37")
    return path


def main(argv: list[str] | None = None) -> int:
    """Run as a command; 0, or 2 after one line that says what to mend."""
    parser = argparse.ArgumentParser(prog="data_scripts/wordnet_glosses.py", description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="source", metavar="DIR", required=True, help=f"folder with {NAME}")
    parser.add_argument("--to", metavar="DIR", default=str(FOLDER), help="default: %(default)s")
    args = parser.parse_args(argv)
    path = Path(args.to) / FILE
    try:
        lines = write_glosses(published(Path(args.source)), path)
    except InputError as error:
        print(f"wordnet_glosses: {error}", file=sys.stderr)
        return 2
    print(f"{path}: {lines} definitions, {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
