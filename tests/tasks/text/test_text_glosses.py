"""WordNet's definitions: what is shipped, and that its splits are apart."""

import gzip
import re
from pathlib import Path

import pytest

from tasks.text.data.glosses import CLASSES, FILE, FOLDER, WordNetGlosses, glosses
from zoo.errors import InputError


@pytest.fixture(scope="module")
def splits():
    """Sentences and hypernyms of the three splits."""
    return glosses()


def test_no_hypernym_is_on_two_sides(splits):
    families = {name: set(hypernyms) for name, (_, hypernyms) in splits.items()}
    assert all(len(found) > 500 for found in families.values())
    assert not families["train"] & families["test"]
    assert not families["train"] & families["validation"] and not families["validation"] & families["test"]


def test_no_text_comes_twice(splits):
    forms = [
        " ".join(w for w in re.findall("[a-z]+", text.lower()) if w not in ("a", "an", "the"))
        for sentences, _ in splits.values()
        for text in sentences.texts
    ]
    assert len(forms) == len(set(forms)) == 18_201
    assert min(len(form.split()) for form in forms) == 3


def test_shares_and_classes(splits):
    counts = {name: sentences.labels_N.bincount(minlength=26) for name, (sentences, _) in splits.items()}
    total = sum(counts.values())
    assert {name: int(c.sum()) for name, c in counts.items()} == {"train": 13_190, "validation": 1_491, "test": 3_520}
    assert len(CLASSES) == 26 and total.min() == 38  # motive
    assert total.max() / total.sum() < 0.17  # no class is most of the set
    assert all((c > 0).all() for c in counts.values())


def test_labels_are_the_meaning(splits):
    sentences, _ = splits["train"]
    share = {}
    for word, name in (("bird", "animal"), ("dish", "food"), ("genus", "plant"), ("poet", "person")):
        hits = [int(y) for text, y in zip(sentences.texts, sentences.labels_N, strict=True) if word in text.split()]
        share[word] = sum(CLASSES[y] == name for y in hits) / len(hits)
    assert min(share.values()) > 0.5


def test_its_own_validation_is_used():
    data = WordNetGlosses(validation=0.5)
    data.setup()
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 13_190,
        "validation": 1_491,
        "test": 3_520,
    }


def test_the_licence_lies_beside_it():
    licence = (FOLDER / "LICENSE").read_text()
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in licence and "AS IS" in licence
    assert "wordnet-base" in (FOLDER / "README.md").read_text()
    assert (FOLDER / FILE).stat().st_size < 700_000


@pytest.mark.parametrize(
    "content", [b"", b"no gzip", gzip.compress(b"train\tanimal\n"), gzip.compress(b"train\tstone\t1\ttext\n")]
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InputError, match="install the package anew") as error:
        glosses(tmp_path / FILE)
    assert "\n" not in str(error.value)
