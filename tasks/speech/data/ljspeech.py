"""LJ Speech (Ito and Johnson 2017) in its published folder."""

from pathlib import Path
from typing import Any

from tasks.speech.data.recordings import RecordedData, Recording
from tasks.speech.data.splits import split_by
from tasks.speech.prompts import spoken_text
from zoo.errors import InputError


class LJSpeech(RecordedData):
    """13,100 sentences of one reader, 24 hours, 22.05 kHz; `root/LJSpeech-1.1/metadata.csv` and `wavs/`. The set has no
    split: 15 % of the sentences are for testing and 10 % for validation, by the hash of the text. Public domain.

    Args:
        root: folder with the folder LJSpeech-1.1.
        kwargs: see `SpeechData`.
    """

    def __init__(self, root: str = "data", **kwargs: Any):
        super().__init__(**kwargs)
        self.root = Path(root) / "LJSpeech-1.1"

    def recordings(self) -> dict[str, list[Recording]]:
        """See `RecordedData.recordings`."""
        try:
            lines = (self.root / "metadata.csv").read_text(encoding="utf8").split("\n")
        except OSError as error:
            raise InputError(f"data: expected metadata.csv in {self.root}, got {error.strerror}; mend it") from error
        return split_by([self._row(line) for line in lines if line], lambda one: one.text)

    def _row(self, line: str) -> Recording:
        # No CSV: quotation marks are part of the text. The third field has numbers in words.
        name, *texts = line.split("|")
        if not texts:
            raise InputError(f"{self.root / 'metadata.csv'}: expected name|text|text, got {line!r}; fetch it again")
        return Recording(self.root / "wavs" / f"{name}.wav", spoken_text(texts[-1]), "lj")
