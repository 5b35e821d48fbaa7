"""Paraphrases out of the grammar, and sentences that mean something else in the same form.

Legend: N = items of a split, T = tokens of the longest form, B = items of a batch.
"""

from random import Random
from typing import NamedTuple

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from tasks.text.disentangled.grammar import FORMS, NOUNS, PLACES, VERBS, WORDS, Meaning, sentence
from tasks.text.tokeniser import Encoded, Tokeniser
from zoo.data import TensorLoader, content_hash
from zoo.errors import InputError

NAMES = list(FORMS)
CHANGES = [*Meaning._fields, "agent and patient exchanged"]
LONGEST = max(len(form.split()) for form in FORMS.values())
PAIRS = len(NOUNS) * (len(NOUNS) - 1) * len(VERBS)  # of agent and patient, with a verb


class Texts(NamedTuple):
    """An item as words."""

    source: str  # a meaning in a form
    target: str  # the same meaning in another form
    giver: str  # another meaning in that other form
    changed: str  # the source's form, one word of it another, or agent and patient exchanged
    form: int  # of the source, index into FORMS
    change: int  # index into CHANGES
    meaning: Meaning  # of the source


class Paraphrases(NamedTuple):
    """A batch: the same as tokens."""

    source_BT: Tensor
    target_BT: Tensor
    giver_BT: Tensor
    changed_BT: Tensor
    form_B: Tensor
    change_B: Tensor
    meaning_B4: Tensor


def drawn_meanings(count: int, random: Random) -> list[Meaning]:
    """Distinct meanings, no two with the same agent, verb and patient.

    >>> len({m[:3] for m in drawn_meanings(50, Random(0))})
    50
    """
    meanings = []
    for number in random.sample(range(PAIRS), count):
        number, verb = divmod(number, len(VERBS))
        agent, other = divmod(number, len(NOUNS) - 1)
        meanings.append(Meaning(agent, verb, other + (other >= agent), random.randrange(len(PLACES))))
    return meanings


def changed(meaning: Meaning, what: int, random: Random) -> Meaning:
    """The meaning with another word at place `what`, or with agent and patient exchanged where `what` is 4.

    >>> changed(Meaning(0, 1, 2, 3), 4, Random(0))
    Meaning(agent=2, verb=1, patient=0, place=3)
    """
    if what == len(meaning):
        return meaning._replace(agent=meaning.patient, patient=meaning.agent)
    parts = list(meaning)
    taken = {meaning.agent, meaning.patient} if what in (0, 2) else {meaning[what]}
    parts[what] = random.choice([i for i in range(len(WORDS[what])) if i not in taken])
    return Meaning(*parts)


def drawn_items(meanings: list[Meaning], each: int, random: Random) -> list[Texts]:
    """`each` items a meaning, every form the source and every kind of change equally often, the rest by chance."""
    items = []
    for number, meaning in enumerate(meanings * each):
        source = NAMES[(number + number // len(meanings)) % len(NAMES)]
        target = random.choice([name for name in NAMES if name != source])
        giver = random.choice(meanings)
        change = number // len(NAMES) % len(CHANGES)
        pairs = ((meaning, source), (meaning, target), (giver, target), (changed(meaning, change, random), source))
        items.append(Texts(*(sentence(*pair) for pair in pairs), NAMES.index(source), change, meaning))
    return items


class ParaphraseData(LightningDataModule):
    """Items of meanings drawn at random; no agent, verb and patient of a test meaning occur together in training.

    Args:
        meanings: for training.
        held_out: further meanings for validation, and as many for the test.
        each: items a training meaning.
        batch_size: items a training batch.
        draw: number that all draws depend on.
        seed: of the order of the training items; by default the run's.

    Raises:
        InputError: more meanings than there are.
    """

    def __init__(
        self,
        meanings: int = 3000,
        held_out: int = 400,
        each: int = 4,
        batch_size: int = 128,
        draw: int = 0,
        seed: int | None = None,
    ):
        super().__init__()
        if min(meanings, held_out, each) < 1 or meanings + 2 * held_out > PAIRS:
            raise InputError(
                f"data: expected meanings, held_out, each of 1 or more, meanings + 2 held_out at most {PAIRS}, got "
                f"{meanings}, {held_out}, {each}; 3000, 400, 4 are usual"
            )
        self.counts = {"train": meanings, "validation": held_out, "test": held_out}
        self.each, self.batch_size, self.draw, self.seed = each, batch_size, draw, seed
        said = [sentence(Meaning(0, 0, 1, 0), name) for name in NAMES]
        self.tokeniser = Tokeniser.trained([*NOUNS, *VERBS, *PLACES, *said])
        self.splits: dict[str, list[Texts]] = {}
        self.tensors: dict[str, Paraphrases] = {}

    def setup(self, stage: str | None = None) -> None:
        """Draw the items, once."""
        if self.splits:
            return
        random = Random(self.draw)
        meanings = drawn_meanings(sum(self.counts.values()), random)
        for name, count in self.counts.items():
            part, meanings = meanings[:count], meanings[count:]
            self.splits[name] = drawn_items(part, self.each if name == "train" else 1, random)
            self.tensors[name] = self.tokens(self.splits[name])

    def tokens(self, items: list[Texts]) -> Paraphrases:
        """Items as tensors, all of one width."""
        columns = list(zip(*items, strict=True))
        encoded = [self.tokeniser.encode(list(column)) for column in columns[:4]]
        return Paraphrases(*(_padded(one, LONGEST) for one in encoded), *map(torch.tensor, columns[4:]))

    def data_hash(self) -> str:
        """Identity of all items."""
        self.setup()
        return content_hash(*(tensor for split in self.tensors.values() for tensor in split))

    def loader(self, split: str, shuffle: bool = False) -> TensorLoader:
        """Batches of a split."""
        self.setup()
        size = self.batch_size if split == "train" else 256
        return TensorLoader(
            tuple(self.tensors[split]), size, shuffle, seed=self.seed, transform=lambda b: Paraphrases(*b)
        )

    def train_dataloader(self) -> TensorLoader:
        """Shuffled training items."""
        loader = self.loader("train", shuffle=True)
        if self.trainer is not None:
            limit = self.trainer.limit_train_batches
            loader.taken = min(len(loader), limit if isinstance(limit, int) else int(limit * len(loader))) or None
        return loader

    def val_dataloader(self) -> TensorLoader:
        """Items of further meanings."""
        return self.loader("validation")

    def test_dataloader(self) -> TensorLoader:
        """Items of still further meanings."""
        return self.loader("test")


def _padded(encoded: Encoded, width: int) -> Tensor:
    tokens_NT = encoded.padded(torch.arange(len(encoded)))
    return torch.nn.functional.pad(tokens_NT, (0, width - tokens_NT.shape[1]))
