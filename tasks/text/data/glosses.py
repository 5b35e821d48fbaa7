"""Definitions of nouns out of WordNet 3.0, sorted into its 26 classes: real sentences, no download."""

import gzip
import zlib
from pathlib import Path

import torch

from tasks.text.data.sentences import Sentences
from tasks.text.data.text_data import TextData
from zoo.errors import InputError

FOLDER, FILE = Path(__file__).parent / "glosses", "glosses.tsv.gz"

# WordNet's lexicographer files noun.Tops, noun.act ..., 3 to 28 (lexnames(5)). noun.Tops holds the most general nouns.
CLASSES = [
    "tops", "act", "animal", "artifact", "attribute", "body", "cognition", "communication", "event", "feeling",
    "food", "group", "location", "motive", "object", "person", "phenomenon", "plant", "possession", "process",
    "quantity", "relation", "shape", "state", "substance", "time",
]  # fmt: skip


def glosses(path: Path = FOLDER / FILE) -> dict[str, tuple[Sentences, list[str]]]:
    """Sentences of each split and the offsets of their hypernyms in WordNet's data.noun.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        if not lines:
            raise ValueError("an empty file")
        rows = [line.split("\t") for line in lines]
        number = {name: label for label, name in enumerate(CLASSES)}
        parts = {split: [row for row in rows if row[0] == split] for split in ("train", "validation", "test")}
        return {split: (_sentences(part, number), [row[2] for row in part]) for split, part in parts.items()}
    except (OSError, EOFError, zlib.error, ValueError, LookupError) as error:
        raise InputError(f"{path}: expected WordNet's definitions, got {error}; install the package anew") from error


def _sentences(rows: list[list[str]], number: dict[str, int]) -> Sentences:
    return Sentences([row[3] for row in rows], torch.tensor([number[row[1]] for row in rows]))


class WordNetGlosses(TextData):
    """About 18,000 definitions of nouns of WordNet 3.0, 26 classes such as animal, food, person.

    Definitions under one hypernym, which are alike ("a city in ..."), are all in the same split. A class has its share
    of WordNet's nouns, and 150 definitions where that would be fewer and there are as many. `data_scripts/
    wordnet_glosses.py` made the file, which lies in `glosses/` with its licence.

    Args:
        see `TextData`.
    """

    def load(self) -> dict[str, Sentences]:
        """See `TextData.load`."""
        self.class_names = list(CLASSES)
        return {split: sentences for split, (sentences, _) in glosses().items()}
