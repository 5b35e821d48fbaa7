"""Utterances of a split with what was heard in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasks.speech.data.speech_data import Batch, SpeechData
from tasks.speech.error_rates import edit_distance
from zoo.errors import InputError
from zoo.training.evaluation import evaluating


@dataclass(frozen=True)
class Judged:
    """One utterance: where it stands in its split, what was said, and what was heard, as text and as labels."""

    index: int
    name: str
    said: str
    heard: str
    labels: list[int]

    @property
    def character_errors(self) -> int:
        """Edit distance in characters."""
        return edit_distance(self.said, self.heard)


@torch.no_grad()
def judged(task: Any, data: SpeechData, split: str = "test") -> list[Judged]:
    """Every utterance of a split with the task's answer, the net in evaluation mode."""
    with evaluating(task.net):
        heard = [labels for batch in data.loader(split) for labels in task.heard(batch)]
    utterances = data.splits[split]
    return [
        Judged(n, utterances.names[n], said_of(utterances.texts[n]), data.alphabet.decode(labels), labels)
        for n, labels in enumerate(heard)
    ]


def said_of(text: str) -> str:
    """A transcript with single spaces, as answers have them."""
    return " ".join(text.split())


def chosen_utterances(seen: Sequence[Judged], choose: str, count: int) -> list[Judged]:
    """Utterances to look at.

    Args:
        seen: all of them.
        choose: "first", "misheard" (the most character errors first), or indices such as "3,17".
        count: how many at most.

    Raises:
        InputError: another word, an index beyond the split, or none that fits.
    """
    if choose == "first":
        return list(seen[:count])
    if choose == "misheard":
        wrong = sorted((one for one in seen if one.character_errors), key=lambda one: -one.character_errors)
        if not wrong:
            raise InputError("--choose: expected utterances, got none; nothing was misheard, take first")
        return wrong[:count]
    words = choose.split(",")
    if not all(word.strip().isdigit() and int(word) < len(seen) for word in words):
        raise InputError(f"--choose: expected first, misheard, or indices below {len(seen)}, got {choose!r}; mend it")
    return [seen[int(word)] for word in words][:count]


def batch_of(data: SpeechData, one: Judged, split: str = "test") -> Batch:
    """The utterance alone, labelled with what was heard."""
    alone = data.batch(split, torch.tensor([one.index]))
    return alone._replace(
        labels_BU=torch.tensor([one.labels], dtype=torch.long), lengths_B=torch.tensor([len(one.labels)])
    )


def features_of(data: SpeechData, one: Judged, split: str = "test") -> Tensor:
    """Its features, [T, D]."""
    return data.batch(split, torch.tensor([one.index])).features_BTD[0]
