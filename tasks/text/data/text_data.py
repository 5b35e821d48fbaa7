"""What all sets of sentences have in common: splits, a tokeniser of the training part, batches of like length."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from tasks.text.data.sentences import Sentences
from tasks.text.tokeniser import Encoded, Kind, Tokeniser
from zoo.data import TensorLoader, check_labels, content_hash
from zoo.data.length_order import LengthOrder
from zoo.data.seeded_order import permutation
from zoo.data.splits import split_named, within_limit
from zoo.errors import InputError

Batch = tuple[Tensor, Tensor]  # tokens_BT, labels_B


@dataclass(frozen=True)
class Split:
    """Sentences and their tokens."""

    sentences: Sentences
    encoded: Encoded

    def __len__(self) -> int:
        return len(self.encoded)

    @property
    def labels_N(self) -> Tensor:
        """Their labels."""
        return self.sentences.labels_N


class TextData(LightningDataModule, ABC):
    """Training, validation and test sentences in memory; a subclass says where they come from.

    A batch is (tokens_BT, labels_B). The tokeniser travels in every checkpoint.

    Args:
        batch_size: sentences a training batch.
        validation: share of the training sentences, drawn at random, kept for validation where the set brings none.
        tokeniser: word (Kim's splitting), bpe, wordpiece or unigram; trained on the training split.
        vocabulary_size: most entries of the vocabulary, the same as the net's.
        min_count: rarer words are unknown.
        lowercase: fold case.
        max_length: tokens kept of a sentence; None keeps all.
        seed: of the order of the training sentences; by default the run's.
    """

    class_names: list[str]

    def __init__(
        self,
        batch_size: int = 50,
        validation: float = 0.1,
        tokeniser: Kind = "word",
        vocabulary_size: int = 20_000,
        min_count: int = 1,
        lowercase: bool = True,
        max_length: int | None = None,
        seed: int | None = None,
    ):
        super().__init__()
        if not 0 <= validation < 1:
            raise InputError(f"data.validation: expected a share in [0, 1), got {validation}; 0.1 is usual")
        self.batch_size, self.validation, self.seed = batch_size, validation, seed
        self.vocabulary_size = vocabulary_size
        self._tokeniser_options = {
            "kind": tokeniser,
            "vocabulary_size": vocabulary_size,
            "min_count": min_count,
            "lowercase": lowercase,
            "max_length": max_length,
        }
        self._tokeniser: Tokeniser | None = None
        self._trained_classes: list[str] | None = None  # of the checkpoint that was read
        self.splits: dict[str, Split] = {}

    @abstractmethod
    def load(self) -> dict[str, Sentences]:
        """Sentences by split: "train", "test" and, where the set brings them, "validation"; sets `class_names`."""

    def setup(self, stage: str | None = None) -> None:
        """Load, split, check and tokenise, once."""
        if self.splits:
            return
        loaded = self.load()
        if self._trained_classes not in (None, list(self.class_names)):
            raise InputError(
                f"data: expected the classes of the checkpoint, {', '.join(self._trained_classes)}, got "
                f"{', '.join(self.class_names)}; take sentences of the same classes"
            )
        if "validation" not in loaded and self.validation:
            loaded |= self._parted(loaded["train"])
        for name, sentences in loaded.items():
            if not len(sentences):
                raise InputError(f"{name} split: expected at least 1 sentence, got 0; give it a larger share or more")
            check_labels(sentences.labels_N, self.num_classes, name, len(sentences))
        if len(loaded["train"].labels_N.unique()) < 2:
            raise InputError("train split: expected two classes or more, got one; check the label column")
        if self._tokeniser is None:
            self._tokeniser = Tokeniser.trained(loaded["train"].texts, **self._tokeniser_options)
        self.splits = {name: Split(s, self._tokeniser.encode(s.texts)) for name, s in loaded.items()}

    def _parted(self, train: Sentences) -> dict[str, Sentences]:
        # The same part for every seed of the run: what is chosen on it can be compared.
        order = permutation(len(train), 0, 0)
        kept = round(self.validation * len(train))
        return {"train": train.take(order[kept:].sort().values), "validation": train.take(order[:kept].sort().values)}

    @property
    def tokeniser(self) -> Tokeniser:
        """The tokeniser: of the checkpoint that was read, or trained on the training split."""
        if self._tokeniser is None:
            self.setup()
        return self._tokeniser

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    def state_dict(self) -> dict:
        """Tokeniser and class names, which a checkpoint keeps: a sentence can be classified without the set."""
        return {"tokeniser": self.tokeniser.to_json(), "class_names": list(self.class_names)}

    def load_state_dict(self, state: dict) -> None:
        """Take up the tokeniser of a checkpoint.

        Raises:
            InputError: the data at hand gave another one.
        """
        if self.splits and self._tokeniser.to_json() != state["tokeniser"]:
            raise InputError("data: expected the sentences of the checkpoint, got others; bring the former ones back")
        self._tokeniser, self.class_names = Tokeniser.from_json(state["tokeniser"]), list(state["class_names"])
        self._trained_classes = list(self.class_names)

    def data_hash(self) -> str:
        """Identity of all sentences, order included."""
        self.setup()
        texts = "\x00".join(text for s in self.splits.values() for text in s.sentences.texts).encode()
        return content_hash(
            torch.frombuffer(bytearray(texts), dtype=torch.uint8), *(s.labels_N for s in self.splits.values())
        )

    def loader(self, split: str) -> TensorLoader:
        """Batches of a split ("train", "validation", "test") in its own order.

        Raises:
            InputError: there is no such split.
        """
        s = self._split(split)
        return TensorLoader((torch.arange(len(s)),), max(self.batch_size, 256), transform=batches_of(s))

    def _split(self, name: str) -> Split:
        self.setup()
        return split_named(self.splits, name)

    def train_dataloader(self) -> TensorLoader:
        """Shuffled batches of like length."""
        s = self._split("train")
        loader = TensorLoader((torch.arange(len(s)),), self.batch_size, shuffle=True, transform=batches_of(s))
        loader.sampler = LengthOrder(s.encoded.lengths_N, self.batch_size, seed=self.seed)
        return within_limit(loader, self.trainer)

    def val_dataloader(self) -> TensorLoader | list:
        """Validation batches; none when no share is kept."""
        self.setup()
        return self.loader("validation") if "validation" in self.splits else []

    def test_dataloader(self) -> TensorLoader:
        """Test batches."""
        return self.loader("test")

    def predict_dataloader(self) -> TensorLoader:
        """Test batches."""
        return self.loader("test")


def batches_of(split: Split) -> Callable[[tuple[Tensor]], Batch]:
    """(indices_B,) -> (tokens_BT, labels_B)."""

    def batch(chosen: tuple[Tensor]) -> Batch:
        return split.encoded.padded(chosen[0]), split.labels_N[chosen[0]]

    return batch
