"""Sentences to token ids and back to the characters they came from, by the `tokenizers` package alone.

Legend: N = sentences, M = tokens of all sentences together. Id 0 is [PAD], 1 is [UNK].
"""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from zoo.errors import InputError

PAD, UNKNOWN = 0, 1
SPECIAL = ["[PAD]", "[UNK]"]
Kind = Literal["word", "bpe", "wordpiece", "unigram"]

# Kim's (2014) splitting: n't, 's and their like are words, so is every mark; numbers and hyphenated words stay whole.
WORDS = r"\w+?(?=n['’]t\b)|n['’]t\b|['’](?:s|ve|re|d|ll|m)\b|\d+(?:[.,]\d+)*|\w+(?:-\w+)*|[^\w\s]"


@dataclass(frozen=True)
class Encoded:
    """Sentences as flat tensors: sentence n has tokens starts[n] .. starts[n + 1] - 1.

    Args:
        tokens_M: int64 ids.
        offsets_M2: first character of a token in its sentence and the one behind its last, in code points.
        starts: [N + 1].
        cut_N: how many tokens beyond the limit were left out of a sentence.
    """

    tokens_M: Tensor
    offsets_M2: Tensor
    starts: Tensor
    cut_N: Tensor

    def __len__(self) -> int:
        return len(self.cut_N)

    @cached_property
    def lengths_N(self) -> Tensor:
        """Tokens of every sentence, 1 or more."""
        return self.starts.diff()

    def tokens_of(self, n: int) -> Tensor:
        """Ids of sentence n."""
        return self.tokens_M[self.starts[n] : self.starts[n + 1]]

    def offsets_of(self, n: int) -> list[tuple[int, int]]:
        """Where the tokens of sentence n stand in it."""
        return [(int(a), int(b)) for a, b in self.offsets_M2[self.starts[n] : self.starts[n + 1]]]

    def take(self, chosen: Tensor) -> "Encoded":
        """The sentences of these indices."""
        places = torch.cat([torch.arange(self.starts[n], self.starts[n + 1]) for n in chosen.tolist()] or [chosen])
        starts = torch.cat([self.starts.new_zeros(1), self.lengths_N[chosen].cumsum(0)])
        return Encoded(self.tokens_M[places], self.offsets_M2[places], starts, self.cut_N[chosen])

    def padded(self, chosen_B: Tensor) -> Tensor:
        """tokens_BT of the chosen sentences, [PAD] behind their ends; T is the longest of them."""
        lengths_B = self.lengths_N[chosen_B]
        places_T = torch.arange(int(lengths_B.max()))
        inside_BT = places_T < lengths_B[:, None]
        flat_BT = (self.starts[chosen_B][:, None] + places_T).clamp(max=len(self.tokens_M) - 1)
        return torch.where(inside_BT, self.tokens_M[flat_BT], PAD)


class Tokeniser:
    """A trained tokeniser; `Tokeniser.trained` makes one, `to_json` and `from_json` keep it.

    Args:
        tokenizer: of the `tokenizers` package.
        max_length: tokens kept of a sentence; None keeps all.
    """

    def __init__(self, tokenizer: Tokenizer, max_length: int | None = None):
        self.tokenizer, self.max_length = tokenizer, max_length
        tokenizer.encode_special_tokens = True  # "[PAD]" in a user's sentence is text, and no padding

    @classmethod
    def trained(
        cls,
        texts: list[str],
        kind: Kind = "word",
        vocabulary_size: int = 20_000,
        min_count: int = 1,
        lowercase: bool = True,
        max_length: int | None = None,
    ) -> "Tokeniser":
        """A tokeniser trained on `texts`.

        Args:
            texts: of the training split, and of no other.
            kind: whole words split as Kim (2014) does, or pieces: byte-pair encoding, WordPiece, Unigram.
            vocabulary_size: most entries, [PAD] and [UNK] among them.
            min_count: rarer words (bpe and wordpiece: pairs) are left out; Unigram knows no such limit.
            lowercase: fold case.
            max_length: tokens kept of a sentence.

        Raises:
            InputError: a vocabulary too small to hold anything, no text, or an option the kind does not know.

        >>> t = Tokeniser.trained(["a small bird", "a fish isn't a bird"])
        >>> t.words[:4]
        ['[PAD]', '[UNK]', 'a', 'bird']
        """
        _check(texts, kind, vocabulary_size, min_count, max_length)
        model, trainer = _model_and_trainer(kind, vocabulary_size, min_count)
        tokenizer = Tokenizer(model)
        fold = [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
        tokenizer.normalizer = normalizers.Sequence(fold)
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORDS), "removed", invert=True)
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer, max_length)

    def encode(self, texts: list[str]) -> Encoded:
        """Ids and offsets of sentences; one without any token, such as an empty one, becomes a single [UNK] at (0, 0).

        >>> e = Tokeniser.trained(["a bird"]).encode(["A  bird!", ""])
        >>> e.tokens_M.tolist(), e.offsets_M2.tolist()
        ([2, 3, 1, 1], [[0, 1], [3, 7], [7, 8], [0, 0]])
        """
        found = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        ids = [one.ids or [UNKNOWN] for one in found]
        offsets = [one.offsets or [(0, 0)] for one in found]
        whole_N = np.array([len(one) for one in ids], np.int64)
        if self.max_length is not None:
            ids, offsets = ([row[: self.max_length] for row in rows] for rows in (ids, offsets))
        kept_N = np.array([len(one) for one in ids], np.int64)
        return Encoded(
            torch.tensor([i for row in ids for i in row], dtype=torch.int64),
            torch.tensor([pair for row in offsets for pair in row], dtype=torch.int32).view(-1, 2),
            torch.from_numpy(np.concatenate([[0], kept_N.cumsum()]).astype(np.int64)),
            torch.from_numpy(whole_N - kept_N),
        )

    @cached_property
    def words(self) -> list[str]:
        """Token of every id."""
        vocabulary = self.tokenizer.get_vocab()
        return sorted(vocabulary, key=vocabulary.__getitem__)

    def __len__(self) -> int:
        return self.tokenizer.get_vocab_size()

    def to_json(self) -> str:
        """All of it as text."""
        return json.dumps({"max_length": self.max_length, "tokenizer": self.tokenizer.to_str()})

    @classmethod
    def from_json(cls, text: str) -> "Tokeniser":
        """What `to_json` wrote."""
        parts = json.loads(text)
        return cls(Tokenizer.from_str(parts["tokenizer"]), parts["max_length"])


def _check(texts: list[str], kind: str, vocabulary_size: int, min_count: int, max_length: int | None) -> None:
    if vocabulary_size < 3:
        raise InputError(f"data.vocabulary_size: expected 3 or more, got {vocabulary_size}; 20000 is usual")
    if min_count < 1:
        raise InputError(f"data.min_count: expected 1 or more, got {min_count}; 1 keeps every word")
    if max_length is not None and max_length < 1:
        raise InputError(f"data.max_length: expected 1 or more, got {max_length}; leave it out to keep all tokens")
    if kind == "unigram" and min_count != 1:
        raise InputError(f"data.min_count: expected 1 with tokeniser unigram, got {min_count}; leave it out")
    if not any(text.strip() for text in texts):
        raise InputError("training split: expected text, got none; check the text column")


def _model_and_trainer(kind: Kind, size: int, min_count: int) -> tuple[models.Model, trainers.Trainer]:
    common = {"vocab_size": size, "special_tokens": SPECIAL, "show_progress": False}
    if kind == "word":
        return models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer(**common, min_frequency=min_count)
    if kind == "bpe":
        return models.BPE(unk_token="[UNK]"), trainers.BpeTrainer(**common, min_frequency=min_count)
    if kind == "wordpiece":
        model = models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=200)
        return model, trainers.WordPieceTrainer(**common, min_frequency=min_count)
    if kind == "unigram":
        return models.Unigram(), trainers.UnigramTrainer(**common, unk_token="[UNK]")
    raise InputError(f"data.tokeniser: expected word, bpe, wordpiece or unigram, got {kind!r}; mend the recipe")
