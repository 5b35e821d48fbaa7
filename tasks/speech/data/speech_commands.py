"""Speech Commands (Warden 2018) in its published folders."""

from pathlib import Path
from typing import Any

from tasks.speech.data.recordings import RecordedData, Recording
from zoo.errors import InputError

LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}


class SpeechCommands(RecordedData):
    """One word of a second, thousands of speakers, 16 kHz; `root/<word>/<speaker>_nohash_<number>.wav`. The two lists
    of the set say what is for validation and testing, each speaker in one split alone. CC BY 4.0.

    Args:
        root: folder with a folder for each word.
        words: which to take; by default all.
        kwargs: see `SpeechData`.
    """

    def __init__(self, root: str = "data/speech_commands", words: tuple[str, ...] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.root, self.words = Path(root), words

    def recordings(self) -> dict[str, list[Recording]]:
        """See `RecordedData.recordings`."""
        listed = {name: split for split, file in LISTS.items() for name in self._listed(file)}
        found: dict[str, list[Recording]] = {"train": [], "validation": [], "test": []}
        for path in sorted(self.root.glob("[!_]*/*.wav")):  # _background_noise_ is no word
            word = path.parent.name
            if self.words is None or word in self.words:
                split = listed.get(f"{word}/{path.name}", "train")
                found[split].append(Recording(path, word, path.name.partition("_nohash_")[0]))
        if self.words and (absent := sorted(set(self.words) - {one.text for rows in found.values() for one in rows})):
            raise InputError(f"data.words: expected folders of {self.root}, got {', '.join(absent)}; mend the recipe")
        return found

    def _listed(self, file: str) -> list[str]:
        try:
            return (self.root / file).read_text(encoding="utf8").split()
        except OSError as error:
            raise InputError(f"data: expected {file} in {self.root}, got {error.strerror}; mend data.root") from error
