"""Sixty recordings of eight times yes or no in Hebrew."""

from pathlib import Path
from typing import Any

from tasks.speech.data.recordings import RecordedData, Recording
from zoo.errors import InputError

WORDS = {"0": "no", "1": "yes"}


class YesNo(RecordedData):
    """`root/waves_yesno/0_1_1_0_1_0_0_0.wav`, 8 kHz, one speaker; the name says what is said. As in Kaldi's recipe the
    first half by name is for training and the other for testing. https://www.openslr.org/1.

    Args:
        root: folder with the folder waves_yesno.
        kwargs: see `SpeechData`.
    """

    def __init__(self, root: str = "data", **kwargs: Any):
        super().__init__(**kwargs)
        self.root = Path(root) / "waves_yesno"

    def recordings(self) -> dict[str, list[Recording]]:
        """See `RecordedData.recordings`."""
        paths = sorted(self.root.glob("[01]_*.wav"))
        if len(paths) < 2:
            raise InputError(f"data: expected recordings such as 0_1_1_0_1_0_0_0.wav in {self.root}, got none; mend it")
        rows = [Recording(path, " ".join(WORDS[digit] for digit in path.stem.split("_")), "speaker") for path in paths]
        return {"train": rows[: len(rows) // 2], "test": rows[len(rows) // 2 :]}
