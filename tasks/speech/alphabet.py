"""Transcripts as labels and back; label 0 is CTC's blank."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from zoo.errors import InputError

BLANK_TEXT = "<blank>"
Units = Literal["characters", "words"]


@dataclass(frozen=True)
class Alphabet:
    """The units of transcripts, sorted; unit i is label i + 1.

    Args:
        units: characters (a space among them where words are separated) or whole words.
        kind: which of both.

    >>> alphabet = Alphabet.of(["one", "no one"], "characters")
    >>> alphabet.encode("on e"), alphabet.decode([4, 3, 2])
    ([4, 3, 1, 2], 'one')
    """

    units: tuple[str, ...]
    kind: Units = "characters"

    @classmethod
    def of(cls, transcripts: Iterable[str], kind: Units = "characters") -> "Alphabet":
        """The alphabet of these transcripts.

        Raises:
            InputError: another kind, or nothing in them.
        """
        if kind not in ("characters", "words"):
            raise InputError(f"data.units: expected characters or words, got {kind!r}; mend the recipe")
        units = sorted({unit for text in transcripts for unit in _split(text, kind)})
        if not units:
            raise InputError("transcripts: expected some text, got none; check the column of the transcripts")
        return cls(tuple(units), kind)

    def __len__(self) -> int:
        """V: labels with the blank."""
        return len(self.units) + 1

    @property
    def texts(self) -> tuple[str, ...]:
        """Text of every label, the blank first."""
        return (BLANK_TEXT, *self.units)

    @cached_property
    def _labels(self) -> dict[str, int]:
        return {unit: label for label, unit in enumerate(self.units, 1)}

    def encode(self, text: str, name: str = "transcript") -> list[int]:
        """Labels of a transcript.

        Raises:
            InputError: a unit that the alphabet does not have.
        """
        labels = [self._labels.get(unit) for unit in _split(text, self.kind)]
        if None in labels:
            strange = _split(text, self.kind)[labels.index(None)]
            raise InputError(
                f"{name}: expected the alphabet {' '.join(self.units)!r}, got {strange!r} in {text!r}; "
                "mend the transcript or add it to the training data"
            )
        return labels

    def decode(self, labels: Sequence[int]) -> str:
        """Text of labels."""
        return ("" if self.kind == "characters" else " ").join(self.units[label - 1] for label in labels)


def _split(text: str, kind: Units) -> list[str]:
    words = text.split()
    return words if kind == "words" else list(" ".join(words))
