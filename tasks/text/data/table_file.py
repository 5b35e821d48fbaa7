"""A user's own CSV, TSV or JSON-lines file."""

from pathlib import Path
from typing import Any

import torch

from tasks.text.data.sentences import Sentences
from tasks.text.data.text_data import TextData
from tasks.text.folds import stratified_share
from zoo.data.table_rows import table_rows
from zoo.errors import InputError


class TextFile(TextData):
    """Sentences of a table with a column of texts and one of labels, text or numbers; its labels become the classes.

    Without `test_file` a share of each class is the test split, without `validation_file` a share of what is left is
    for validation; both draws depend on `split_seed` alone. A text may be empty, but not absent.

    Args:
        file: .csv, .tsv or .jsonl to train on.
        text: name of the column of texts.
        label: name of the column of labels.
        test_file: of the test split, with the same columns.
        validation_file: of the validation split.
        test: share of `file` that is kept for testing, where there is no `test_file`.
        split_seed: of the draws.
        encoding: of the files.
        quoted: whether cells may stand in quotation marks; by default in .csv, not in .tsv.
        kwargs: see `TextData`.
    """

    def __init__(
        self,
        file: str,
        text: str = "text",
        label: str = "label",
        test_file: str | None = None,
        validation_file: str | None = None,
        test: float = 0.2,
        split_seed: int = 0,
        encoding: str = "utf-8",
        quoted: bool | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not 0 < test < 1:
            raise InputError(f"data.test: expected a share between 0 and 1, got {test}; 0.2 is usual")
        if not 0 <= split_seed < 2**32:
            raise InputError(f"data.split_seed: expected 0 .. 2^32 - 1, got {split_seed}; 0 will do")
        if text == label:
            raise InputError(f"data.label: expected another column than data.text, got {label!r} twice; mend one")
        self.files = {"train": file, "test": test_file, "validation": validation_file}
        self.text, self.label, self.test, self.split_seed = text, label, test, split_seed
        self.encoding, self.quoted = encoding, quoted

    def load(self) -> dict[str, Sentences]:
        """See `TextData.load`."""
        found = {split: self._rows(Path(path)) for split, path in self.files.items() if path is not None}
        self.class_names = class_names({label for _, _, label in found["train"]})
        if len(self.class_names) < 2:
            raise InputError(
                f"{self.files['train']}: expected two labels or more in column {self.label!r}, got only "
                f"{self.class_names[0]!r}; set data.label to the column of the classes"
            )
        splits = {split: self._sentences(rows, self.files[split]) for split, rows in found.items()}
        if "test" not in splits:
            splits |= self._drawn(splits["train"], "test", self.test)
        if "validation" not in splits and self.validation:
            splits |= self._drawn(splits["train"], "validation", self.validation)
        return splits

    def _rows(self, path: Path) -> list[tuple[int, str, str]]:
        rows = table_rows(path, [self.text, self.label], self.encoding, self.quoted)
        checked = [
            (line, self._checked(text, path, line), label_name(label, path, line)) for line, (text, label) in rows
        ]
        if not checked:
            raise InputError(f"{path}: expected rows of sentences, got none; mend the path")
        return checked

    def _checked(self, text: Any, path: Path, line: int) -> str:
        if isinstance(text, str):
            return text
        raise InputError(f"{path}: expected a text in {self.text!r} of line {line}, got {text!r}; mend or remove it")

    def _sentences(self, rows: list[tuple[int, str, str]], path: str) -> Sentences:
        number = {name: index for index, name in enumerate(self.class_names)}
        for line, _, label in rows:
            if label not in number:
                known = ", ".join(map(repr, self.class_names[:10])) + (" ..." if len(number) > 10 else "")
                raise InputError(
                    f"{path}: expected a label of the training file ({known}) in line {line}, got {label!r}; "
                    "mend the label, or add examples of it to the training file"
                )
        return Sentences([text for _, text, _ in rows], torch.tensor([number[label] for _, _, label in rows]))

    def _drawn(self, whole: Sentences, name: str, share: float) -> dict[str, Sentences]:
        drawn_N = stratified_share(whole.labels_N, share, self.split_seed)
        if not drawn_N.any():
            raise InputError(
                f"data.{name}: expected a share that gives a sentence, got {share} of {len(whole)} in "
                f"{len(self.class_names)} classes; give a larger one, a larger file, or data.{name}_file"
            )
        return {name: whole.take(drawn_N.nonzero()[:, 0]), "train": whole.take((~drawn_N).nonzero()[:, 0])}


def label_name(label: Any, path: Path, line: int) -> str:
    """A label as text: 1, 1.0 and "1" are the same.

    Raises:
        InputError: it is empty, or neither text nor number.
    """
    if isinstance(label, bool):
        return str(label).lower()
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    name = str(label).strip() if isinstance(label, (str, int, float)) and label == label else ""
    if not name:
        raise InputError(f"{path}: expected a label, text or number, in line {line}, got {label!r}; mend or remove it")
    return name


def class_names(labels: set[str]) -> list[str]:
    """Labels in order: whole numbers by value, others by the alphabet.

    >>> class_names({"10", "9"}), class_names({"b", "a", "10"})
    (['9', '10'], ['10', 'a', 'b'])
    """
    try:
        return sorted(labels, key=int)
    except ValueError:
        return sorted(labels)
