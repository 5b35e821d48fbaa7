"""Sound files with transcripts, read into memory; what is missing is told at once, what is bad in one line each."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from tasks.speech.audio import promised_seconds, read_audio
from tasks.speech.data.speech_data import SpeechData
from tasks.speech.data.utterances import Utterances
from zoo.errors import InputError


@dataclass(frozen=True)
class Recording:
    """A sound file, what is said in it, and who says it."""

    path: Path
    text: str
    speaker: str = ""


class RecordedData(SpeechData):
    """A set that lies as sound files in a folder; a subclass says which, and what is said in them.

    Any sample rate is resampled to that of the features. See `SpeechData` for the arguments.
    """

    @abstractmethod
    def recordings(self) -> dict[str, list[Recording]]:
        """Recordings by split: "train", "test" and perhaps "validation"."""

    def load(self) -> dict[str, Utterances]:
        """See `SpeechData.load`.

        Raises:
            InputError: naming every missing file, or the first that cannot be used.
        """
        found = self.recordings()
        self._tell_missing([one.path for rows in found.values() for one in rows])
        return {split: self._read(split, rows) for split, rows in found.items()}

    def _tell_missing(self, paths: Sequence[Path]) -> None:
        missing = [str(path) for path in paths if not path.is_file()]
        if missing and not self.skip_bad:
            raise InputError(
                f"data: expected {len(paths)} sound files, got no such file at {len(missing)} paths: "
                f"{', '.join(missing)}; mend them, or go on without by data.skip_bad"
            )
        self.skipped |= {path: f"{path}: expected a sound file, got no such file" for path in missing}

    def _read(self, split: str, rows: Sequence[Recording]) -> Utterances:
        kept, pieces = [], []
        for one in tqdm(rows, desc=f"reading {split}", disable=len(rows) < 1000):
            try:
                if str(one.path) not in self.skipped:
                    self.refuse_long(promised_seconds(one.path), str(one.path))
                    sound = read_audio(one.path, self.features.rate).samples_S
                    pieces.append(Utterances.of([sound], [one.text], [""], [""], 1).samples_M)  # 16 bits at once
                    kept.append(one)
            except InputError as error:
                self.leave_out(str(one.path), error)
        starts = torch.tensor([0, *(len(piece) for piece in pieces)]).cumsum(0)
        fields = ([one.text for one in kept], [one.speaker for one in kept], [str(one.path) for one in kept])
        return Utterances(torch.cat(pieces) if pieces else torch.empty(0).short(), starts, *fields, self.features.rate)
