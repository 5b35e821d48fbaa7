"""LibriSpeech (Panayotov et al. 2015) in its published folders."""

from pathlib import Path
from typing import Any

from tasks.speech.data.recordings import RecordedData, Recording
from zoo.errors import InputError


class LibriSpeech(RecordedData):
    """Read books, 16 kHz; `root/LibriSpeech/<part>/<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac` with one file
    of transcripts a chapter. https://www.openslr.org/12, CC BY 4.0.

    Args:
        root: folder with the folder LibriSpeech.
        train: parts to train on, such as train-clean-100; all of them must fit into memory, 115 MB an hour.
        validation: parts for validation.
        test: parts for testing.
        kwargs: see `SpeechData`.
    """

    def __init__(
        self,
        root: str = "data",
        train: tuple[str, ...] = ("train-clean-100",),
        validation: tuple[str, ...] = ("dev-clean",),
        test: tuple[str, ...] = ("test-clean",),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.root, self.parts = Path(root) / "LibriSpeech", {"train": train, "validation": validation, "test": test}

    def recordings(self) -> dict[str, list[Recording]]:
        """See `RecordedData.recordings`."""
        return {
            split: [row for part in parts for row in self._part(part)] for split, parts in self.parts.items() if parts
        }

    def _part(self, part: str) -> list[Recording]:
        listings = sorted((self.root / part).glob("*/*/*.trans.txt"))
        if not listings:
            raise InputError(f"data: expected LibriSpeech's {part} in {self.root}, got no transcripts; mend data.root")
        lines = [(path, line) for path in listings for line in path.read_text(encoding="utf8").splitlines()]
        return [transcribed(path, line) for path, line in lines if line.strip()]


def transcribed(listing: Path, line: str) -> Recording:
    """The recording of a line `19-198-0000 NORTHANGER ABBEY`.

    >>> transcribed(Path("19/198/19-198.trans.txt"), "19-198-0000 NORTHANGER ABBEY")
    Recording(path=PosixPath('19/198/19-198-0000.flac'), text='northanger abbey', speaker='19')
    """
    name, _, text = line.partition(" ")
    return Recording(listing.parent / f"{name}.flac", text.strip().lower(), name.partition("-")[0])
