"""Any recordings, listed in a table."""

from pathlib import Path
from typing import Any, Literal

from tasks.speech.data.recordings import RecordedData, Recording
from tasks.speech.data.splits import split_by
from zoo.data.table_rows import table_rows
from zoo.errors import InputError

COLUMNS = ("path", "text", "speaker", "split")
SPLITS = ("train", "validation", "test")
Row = tuple[Recording, str]


class Manifest(RecordedData):
    """Recordings of a .csv, .tsv or .jsonl file with the columns path and text, and perhaps speaker and split.

    Without splits 15 % of the different speakers (or texts) are for testing, 10 % for validation, by their hash.

    Args:
        file: the table; relative paths in it start at its folder.
        split_by: what may not be in two splits, where the table has none.
        lowercase: write transcripts in small letters.
        encoding: of the table.
        kwargs: see `SpeechData`.
    """

    def __init__(
        self,
        file: str,
        split_by: Literal["speaker", "text"] = "speaker",
        lowercase: bool = True,
        encoding: str = "utf-8",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if split_by not in ("speaker", "text"):
            raise InputError(f"data.split_by: expected speaker or text, got {split_by!r}; mend the recipe")
        self.file, self.split_by, self.lowercase, self.encoding = Path(file), split_by, lowercase, encoding

    def recordings(self) -> dict[str, list[Recording]]:
        """See `RecordedData.recordings`."""
        rows = self._rows()
        told = {split for _, split in rows}
        if told == {""}:
            return self._drawn([one for one, _ in rows])
        found = {split: [one for one, its in rows if its == split] for split in SPLITS}
        if strange := sorted(told - set(SPLITS)):
            raise InputError(f"{self.file}: expected splits {', '.join(SPLITS)}, got {strange[0]!r}; mend the column")
        return {split: members for split, members in found.items() if members or split != "validation"}

    def _drawn(self, whole: list[Recording]) -> dict[str, list[Recording]]:
        found = split_by(whole, lambda one: getattr(one, self.split_by))
        if not {"train", "test"} <= found.keys():
            kinds = len({getattr(one, self.split_by) for one in whole})
            raise InputError(
                f"{self.file}: expected enough different {self.split_by}s to split by, got {kinds}; add a column "
                "split, or set data.split_by"
            )
        return found

    def _rows(self) -> list[Row]:
        mend = f"the columns are {', '.join(COLUMNS)}, the last two optional"
        rows = table_rows(self.file, list(COLUMNS), self.encoding, None, COLUMNS[2:], mend)
        found = [self._row(line, values) for line, values in rows]
        if not found:
            raise InputError(f"{self.file}: expected rows of recordings, got none; mend the path")
        return found

    def _row(self, line: int, values: list[Any]) -> Row:
        path, text = values[:2]
        for name, value in (("path", path), ("text", text)):
            if not isinstance(value, str) or (name == "path" and not value.strip()):
                raise InputError(f"{self.file}: expected a {name} in line {line}, got {value!r}; mend or remove it")
        speaker, split = ("" if value is None else str(value).strip() for value in values[2:])
        text = text.lower() if self.lowercase else text
        return Recording(self.file.parent / path, " ".join(text.split()), speaker), split
