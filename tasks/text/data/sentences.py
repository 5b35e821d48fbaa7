"""A split before tokenising."""

from dataclasses import dataclass

from torch import Tensor

from zoo.errors import InputError


@dataclass(frozen=True)
class Sentences:
    """Texts and their labels, int64 [N]."""

    texts: list[str]
    labels_N: Tensor

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.labels_N):
            raise InputError(
                f"sentences: expected a label for each of {len(self.texts)} texts, got {len(self.labels_N)}; align them"
            )

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, chosen: Tensor) -> "Sentences":
        """The sentences of these indices."""
        return Sentences([self.texts[i] for i in chosen.tolist()], self.labels_N[chosen])
