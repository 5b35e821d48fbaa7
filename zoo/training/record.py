"""The record of a run: one SQLite file, a long table step x layer x quantity -> value.

The report, the diagnosis, loggers and notebooks all read this one file; any SQLite tool does too:
`SELECT step, layer, quantity, value FROM record`. Quantities of the whole run have the layer "".
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import InputError

Reading = tuple[int, str, str, float]  # step, layer, quantity, value

SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, layer TEXT NOT NULL, quantity TEXT NOT NULL, UNIQUE (layer, quantity));
CREATE TABLE IF NOT EXISTS readings (
    series INTEGER NOT NULL, step INTEGER NOT NULL, value REAL, PRIMARY KEY (series, step)) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS record AS
    SELECT step, layer, quantity, value FROM readings JOIN series ON series = id;
"""


@dataclass(frozen=True)
class Series:
    """One quantity of one layer over the run; `steps` int64 [S] ascending, `values` float64 [S]."""

    steps: np.ndarray
    values: np.ndarray


class Record:
    """Readings of one run, written in batches and read back as arrays.

    Args:
        path: the file, made when missing; ":memory:" keeps the readings in this process.

    Raises:
        InputError: the file is not a record.

    >>> record = Record(":memory:")
    >>> record.write([(0, "", "loss", 2.5), (1, "", "loss", 2.0)])
    >>> record.series("loss")[""].values.tolist()
    [2.5, 2.0]
    """

    def __init__(self, path: str | Path = ":memory:"):
        self.path = str(path)
        try:
            self._db = sqlite3.connect(self.path, check_same_thread=False)
            # Write-ahead logging: a killed process leaves a readable file, and a commit waits for no disk.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise InputError(f"record: expected a record file that can be written, got {path} ({error})") from error
        self._ids = {(layer, quantity): i for i, layer, quantity in self._db.execute("SELECT * FROM series")}

    def write(self, readings: Iterable[Reading]) -> None:
        """Add readings in one transaction; a reading of the same step, layer and quantity is replaced."""
        try:
            with self._db:
                self._db.executemany(
                    "INSERT OR REPLACE INTO readings VALUES (?, ?, ?)",
                    ((self._series_id(layer, quantity), step, value) for step, layer, quantity, value in readings),
                )
        except sqlite3.OperationalError as error:
            raise InputError(f"record: expected room to write {self.path}, got {error}; free disk space") from error

    def declare(self, layers: Iterable[str], quantity: str) -> None:
        """Fix the order in which `series` lists the layers of a quantity, before any of them is written."""
        with self._db:
            for layer in layers:
                self._series_id(layer, quantity)

    def truncate(self, steps: int) -> None:
        """Forget every reading at `steps` or later: what a resumed run is about to write again."""
        with self._db:
            self._db.execute("DELETE FROM readings WHERE step >= ?", (steps,))

    def quantities(self) -> list[str]:
        """Names of the quantities that have readings, sorted."""
        rows = self._db.execute("SELECT DISTINCT quantity FROM series WHERE id IN (SELECT series FROM readings)")
        return sorted(quantity for (quantity,) in rows)

    def series(self, quantity: str) -> dict[str, Series]:
        """Layer -> readings of `quantity`, layers in the order in which they were first written."""
        rows = self._db.execute(
            "SELECT layer, step, value FROM readings JOIN series ON series = id WHERE quantity = ? ORDER BY id, step",
            (quantity,),
        )
        by_layer: dict[str, tuple[list[int], list[float]]] = {}
        for layer, step, value in rows:
            steps, values = by_layer.setdefault(layer, ([], []))
            steps.append(step)
            values.append(np.nan if value is None else value)  # SQLite has no NaN: it stores NULL
        return {layer: Series(np.array(s, np.int64), np.array(v, np.float64)) for layer, (s, v) in by_layer.items()}

    def close(self) -> None:
        """Fold the write-ahead log into the one file and release it."""
        self._db.close()

    def _series_id(self, layer: str, quantity: str) -> int:
        key = (layer, quantity)
        if key not in self._ids:
            self._ids[key] = self._db.execute("INSERT INTO series (layer, quantity) VALUES (?, ?)", key).lastrowid
        return self._ids[key]


def read_record(path: str | Path) -> Record:
    """Open the record of a run that exists.

    Raises:
        InputError: there is no such file.
    """
    if not Path(path).is_file():
        raise InputError(f"record: expected a file, got {path}, which does not exist; run `zoo fit` first")
    return Record(path)


def by_module(series: dict[str, Series]) -> dict[str, Series]:
    """Norms of parameter tensors -> norms of the modules that own them: ||layer||^2 = sum of ||tensor||^2.

    A module's tensors are read at the same steps; steps that one of them lacks are left out.

    >>> one = Series(np.array([0]), np.array([3.0]))
    >>> two = Series(np.array([0]), np.array([4.0]))
    >>> by_module({"conv.weight": one, "conv.bias": two})["conv"].values.tolist()
    [5.0]
    """
    owned: dict[str, list[Series]] = {}
    for name, one in series.items():
        owned.setdefault(name.rpartition(".")[0] or name, []).append(one)
    return {module: _root_sum_of_squares(parts) for module, parts in owned.items()}


def _root_sum_of_squares(parts: list[Series]) -> Series:
    steps = parts[0].steps
    for part in parts[1:]:
        steps = np.intersect1d(steps, part.steps, assume_unique=True)
    squares = sum(part.values[np.isin(part.steps, steps, assume_unique=True)] ** 2 for part in parts)
    return Series(steps, np.sqrt(squares))
