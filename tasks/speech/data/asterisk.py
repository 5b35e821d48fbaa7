"""Asterisk's English prompts, as `data_scripts/asterisk.py` has stored them."""

from typing import Any

from tasks.speech.data.companions import Companions, trained_with
from tasks.speech.data.speech_data import SpeechData
from tasks.speech.data.splits import split_by
from tasks.speech.data.stored import stored_utterances
from tasks.speech.data.utterances import Utterances
from tasks.speech.decoding.decoder import Texts
from tasks.speech.prompts import spoken_text


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
        self.root, self.companions, self.repeats = root, companions, repeats
        self._texts = Texts([])

    def load(self) -> dict[str, Utterances]:
        """See `SpeechData.load`."""
        whole = stored_utterances(self.root, "asterisk")
        found = split_by(range(len(whole)), lambda n: whole.texts[n])
        splits = {split: whole.take(chosen) for split, chosen in found.items()}
        train, self._texts = trained_with(splits, self.companions, self.repeats, spoken_text)
        return splits | {"train": train}

    def language_texts(self) -> Texts:
        """Training prompts, and the further texts of the companions."""
        self.setup()
        return self._texts
