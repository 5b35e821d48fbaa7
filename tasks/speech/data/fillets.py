"""Dialogues of Fish Fillets, as `data_scripts/fillets_cs.py` and `fillets_nl.py` have stored them."""

from functools import partial
from typing import Any, Literal

from tasks.speech.data.companions import Companions, trained_with
from tasks.speech.data.speech_data import SpeechData
from tasks.speech.data.splits import split_by
from tasks.speech.data.stored import stored_utterances
from tasks.speech.data.utterances import Utterances
from tasks.speech.decoding.decoder import Texts
from tasks.speech.dialogues import LETTERS, spoken_line
from zoo.errors import InputError


class Fillets(SpeechData):
    """Lively dialogue in Czech or Dutch; two fish say most of it, in all splits. Levels of the game are in one split.

    Args:
        language: cs or nl.
        root: folder of all sets.
        companions: made speech to train on too; it speaks no transcript of validation and test.
        repeats: how often an epoch has each training recording.
        kwargs: see `SpeechData`.
    """

    def __init__(
        self,
        language: Literal["cs", "nl"],
        root: str = "data",
        companions: Companions | None = None,
        repeats: int = 1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if language not in LETTERS:
            raise InputError(f"data.language: expected {' or '.join(LETTERS)}, got {language!r}; mend the recipe")
        self.language, self.root, self.companions, self.repeats = language, root, companions, repeats
        self._texts = Texts([])

    def load(self) -> dict[str, Utterances]:
        """See `SpeechData.load`."""
        whole = stored_utterances(self.root, f"fillets_{self.language}")
        found = split_by(range(len(whole)), lambda n: whole.names[n].partition("/")[0])
        splits = {split: whole.take(chosen) for split, chosen in found.items()}
        normal = partial(spoken_line, language=self.language)
        train, self._texts = trained_with(splits, self.companions, self.repeats, normal)
        return splits | {"train": train}

    def language_texts(self) -> Texts:
        """Training dialogues, and the further texts of the companions."""
        self.setup()
        return self._texts
