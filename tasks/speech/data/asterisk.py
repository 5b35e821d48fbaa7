"""Asterisk's English prompts, as `data_scripts/asterisk.py` has stored them."""

from typing import Any

from tasks.speech.data.companions import Companions, joined
from tasks.speech.data.speech_data import SpeechData
from tasks.speech.data.splits import split_by
from tasks.speech.data.stored import stored_utterances
from tasks.speech.data.utterances import Utterances
from tasks.speech.decoding.decoder import Texts
from tasks.speech.prompts import spoken_text
from zoo.errors import InputError


class Asterisk(SpeechData):
    """551 prompts of telephone exchanges by one voice, 24 minutes; no test prompt is trained on.

    Recordings with the same transcript are in the same split. Words, numbers and beginnings of sentences recur in all.

    Args:
        root: folder of all sets.
        companions: made speech to train on too; it speaks no transcript of validation and test.
        repeats: how often an epoch has each training recording.
        kwargs: see `SpeechData`.
    """

    def __init__(self, root: str = "data", companions: Companions | None = None, repeats: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        if repeats < 1:
            raise InputError(f"data.repeats: expected 1 or more, got {repeats}; mend the recipe")
        self.root, self.companions, self.repeats = root, companions, repeats
        self._transcripts: list[str] = []
        self._further: list[str] = []

    def load(self) -> dict[str, Utterances]:
        """See `SpeechData.load`."""
        whole = stored_utterances(self.root, "asterisk")
        found = split_by(range(len(whole)), lambda n: whole.texts[n])
        splits = {split: whole.take(chosen) for split, chosen in found.items()}
        self._transcripts, held_out = splits["train"].texts, splits["validation"].texts + splits["test"].texts
        train = [splits["train"]] * self.repeats
        if self.companions is not None:
            self._further = self.companions.further(held_out, spoken_text)
            train.append(self.companions.spoken(splits["train"], self._further))
        return splits | {"train": joined(train)}

    def language_texts(self) -> Texts:
        """Training prompts, and the further texts of the companions."""
        self.setup()
        return Texts(self._transcripts, self._further)
