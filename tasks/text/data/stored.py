"""The seven sets of Kim (2014), as a script of `data_scripts/` has stored them.

MR, Subj, CR and MPQA come without a split: they are measured by ten folds, which the stored file holds.
"""

from pathlib import Path
from typing import Any

import torch

from tasks.text.data.sentences import Sentences
from tasks.text.data.text_data import TextData
from tasks.text.folds import in_fold
from tasks.text.packed_texts import unpacked
from zoo.data.stored import read_stored
from zoo.errors import InputError


def stored_set(root: str | Path, name: str) -> dict[str, Any]:
    """What `data_scripts/<name>.py` has written to `root/<name>/sentences.pt`."""
    return read_stored(Path(root) / name / "sentences.pt", f"data_scripts/{name}.py")


def sentences_of(stored: dict[str, Any], part: str, name: str) -> Sentences:
    """A part of a stored set.

    Raises:
        InputError: the file has no such part.
    """
    try:
        return Sentences(unpacked(stored[f"{part}_bytes"], stored[f"{part}_starts"]), stored[f"{part}_labels"])
    except KeyError as error:
        raise InputError(f"data: expected what data_scripts/{name}.py wrote, got no {error}; run it again") from error


class StoredSentences(TextData):
    """A set with splits of its own.

    Args:
        name: of the set, such as trec.
        root: folder of all sets.
        kwargs: see `TextData`.
    """

    def __init__(self, name: str, root: str = "data", **kwargs: Any):
        super().__init__(**kwargs)
        self.name, self.root = name, root

    def load(self) -> dict[str, Sentences]:
        """See `TextData.load`."""
        stored = stored_set(self.root, self.name)
        self.class_names = list(stored["class_names"])
        parts = [part for part in ("train", "validation", "test") if part != "validation" or f"{part}_labels" in stored]
        return {part: sentences_of(stored, part, self.name) for part in parts}


class FoldedSentences(TextData):
    """A set without splits: one of its stratified folds is the test split, the others are for training.

    Args:
        name: of the set, such as mr.
        root: folder of all sets.
        fold: the test split, 0 .. num_folds - 1.
        num_folds: how many folds; the same number gives everybody the same ones.
        kwargs: see `TextData`.
    """

    def __init__(self, name: str, root: str = "data", fold: int = 0, num_folds: int = 10, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 <= fold < num_folds:
            raise InputError(f"data.fold: expected 0..{num_folds - 1}, got {fold}; mend the command")
        self.name, self.root, self.fold, self.num_folds = name, root, fold, num_folds

    def load(self) -> dict[str, Sentences]:
        """See `TextData.load`."""
        stored = stored_set(self.root, self.name)
        self.class_names, whole = list(stored["class_names"]), sentences_of(stored, "all", self.name)
        tested_N = in_fold(stored["all_turns"], self.fold, self.num_folds)
        return {"train": whole.take((~tested_N).nonzero()[:, 0]), "test": whole.take(tested_N.nonzero()[:, 0])}


class MR(FoldedSentences):
    """10,662 sentences of film reviews, negative or positive (Pang and Lee 2005)."""

    def __init__(self, root: str = "data", fold: int = 0, num_folds: int = 10, **kwargs: Any):
        super().__init__("mr", root, fold, num_folds, **kwargs)


class Subj(FoldedSentences):
    """10,000 sentences, subjective (reviews) or objective (plots) (Pang and Lee 2004)."""

    def __init__(self, root: str = "data", fold: int = 0, num_folds: int = 10, **kwargs: Any):
        super().__init__("subj", root, fold, num_folds, **kwargs)


class CR(FoldedSentences):
    """3,775 sentences of customer reviews, negative or positive (Hu and Liu 2004); four are empty, nine repeated."""

    def __init__(self, root: str = "data", fold: int = 0, num_folds: int = 10, **kwargs: Any):
        super().__init__("cr", root, fold, num_folds, **kwargs)


class MPQA(FoldedSentences):
    """10,606 phrases, negative or positive (Wiebe, Wilson and Cardie 2005), as published.

    2,365 of them repeat another one and three are empty: a test fold holds phrases that were trained on, and figures
    are those of the papers only that way.
    """

    def __init__(self, root: str = "data", fold: int = 0, num_folds: int = 10, **kwargs: Any):
        super().__init__("mpqa", root, fold, num_folds, **kwargs)


class TREC(StoredSentences):
    """5,452 + 500 questions, six kinds of answer (Li and Roth 2002).

    11 of the 500 are, but for case, training questions too; with `drop_leaked` they are not trained on, and figures
    are no longer those of the papers.

    Args:
        root: folder of all sets.
        drop_leaked: leave training questions out that are asked in the test split.
        kwargs: see `TextData`.
    """

    def __init__(self, root: str = "data", drop_leaked: bool = False, **kwargs: Any):
        super().__init__("trec", root, **kwargs)
        self.drop_leaked = drop_leaked

    def load(self) -> dict[str, Sentences]:
        """See `TextData.load`."""
        splits = super().load()
        return splits | {"train": without_leaked(splits["train"], splits["test"])} if self.drop_leaked else splits


class SST1(StoredSentences):
    """8,544 + 1,101 + 2,210 sentences of film reviews, very negative to very positive (Socher et al. 2013).

    Trained on whole sentences; the papers train on the labelled phrases of them too.
    """

    def __init__(self, root: str = "data", **kwargs: Any):
        super().__init__("sst1", root, **kwargs)


class SST2(StoredSentences):
    """6,920 + 872 + 1,821 sentences of film reviews, negative or positive (Socher et al. 2013).

    SST-1's without the neutral ones; trained on whole sentences, as there.
    """

    def __init__(self, root: str = "data", **kwargs: Any):
        super().__init__("sst2", root, **kwargs)


def without_leaked(train: Sentences, test: Sentences) -> Sentences:
    """Training sentences that are, but for case, no test sentences."""
    asked = {text.casefold() for text in test.texts}
    return train.take(torch.tensor([i for i, text in enumerate(train.texts) if text.casefold() not in asked]))
