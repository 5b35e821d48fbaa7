"""Two n-gram models as one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tasks.speech.decoding.ngram import UNKNOWN, NGram
from zoo.errors import InputError


@dataclass(frozen=True)
class Mixture:
    """share p_main(w | h) + (1 - share) p_other(w | h): a small model of the matter and a large one of the rest.

    What one model gives to <unk> is divided among the units that only the other knows and <unk> itself, so that the
    probabilities of all units sum to 1.

    Args:
        main: of the texts that answers are like.
        other: of others.
        share: of `main`, between 0 and 1.

    Raises:
        InputError: a share beyond that.
    """

    main: NGram
    other: NGram
    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError(f"share: expected between 0 and 1, got {self.share}; 0.7 is usual")

    @property
    def order(self) -> int:
        """The longer one's."""
        return max(self.main.order, self.other.order)

    @cached_property
    def vocabulary(self) -> list[str]:
        """Units that either can predict."""
        return list(dict.fromkeys(self.main.vocabulary + self.other.vocabulary))

    def log10(self, unit: str, history: Sequence[str]) -> float:
        """log10 p(unit | history)."""
        mixed = self.share * self._probability(self.main, self._strangers[0], unit, history)
        mixed += (1 - self.share) * self._probability(self.other, self._strangers[1], unit, history)
        return math.log10(mixed) if mixed > 0 else -math.inf

    @cached_property
    def _strangers(self) -> tuple[int, int]:
        return tuple(len(self.vocabulary) - len(one.vocabulary) + 1 for one in (self.main, self.other))

    @staticmethod
    def _probability(model: NGram, strangers: int, unit: str, history: Sequence[str]) -> float:
        known = (unit,) in model.probabilities and unit != UNKNOWN
        return 10 ** model.log10(unit, history) / (1 if known else strangers)
