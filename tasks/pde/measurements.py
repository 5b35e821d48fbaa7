"""Measurements that a solution, and the constants of its equation, are to agree with."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from tasks.pde.problem import Problem, Reference
from zoo.data import check_finite
from zoo.errors import InputError


@dataclass(frozen=True)
class Measured:
    """What was measured, float64.

    Args:
        points_ND: where.
        values_NK: what.
        columns: which of the problem's observables the values are.
    """

    points_ND: Tensor
    values_NK: Tensor
    columns: list[int]


class Measurements(ABC):
    """Where measurements come from."""

    @abstractmethod
    def read(self, problem: Problem, reference: Callable[[], Reference | None]) -> Measured:
        """The measurements of a problem's solution; `reference` computes its reference, where that is wanted."""


class FromReference(Measurements):
    """Random points of the reference's grid, with noise, as in Raissi, Perdikaris and Karniadakis (2017, part II).

    Args:
        points: how many, without repetition.
        noise: standard deviation of the noise over that of the observable, 0.01 for 1 %.
        seed: of points and noise.
        observables: which are measured; all by default.

    Raises:
        InputError: negative noise, no reference, no points or more than it has, a name that is no observable.
    """

    def __init__(self, points: int = 2000, noise: float = 0.0, seed: int = 0, observables: list[str] | None = None):
        if points < 1 or noise < 0:
            raise InputError(
                f"model.measurements: expected 1 point or more and noise of 0 or more, got {points} and {noise}; "
                "mend the recipe"
            )
        self.points, self.noise, self.seed, self.observables = points, noise, seed, observables

    def read(self, problem: Problem, reference: Callable[[], Reference | None]) -> Measured:
        """See the class."""
        names = problem.observables if self.observables is None else self.observables
        if other := [name for name in names if name not in problem.observables]:
            raise InputError(
                f"model.measurements.observables: expected some of {', '.join(problem.observables)}, got {other[0]}; "
                "mend the recipe"
            )
        known, columns = reference(), [problem.observables.index(name) for name in names]
        if known is None:
            raise InputError(
                f"model.measurements: expected a problem with a reference to draw from, got {type(problem).__name__} "
                "without; give it `reference`, or take FromFile"
            )
        if self.points > len(known.points_ND):
            raise InputError(
                f"model.measurements.points: expected {len(known.points_ND)} or fewer, the points of the "
                f"reference, got {self.points}; mend the recipe"
            )
        generator = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(len(known.points_ND), generator=generator)[: self.points]
        values_NK = known.values_NK[chosen][:, columns].double()
        noise_NK = torch.randn(values_NK.shape, generator=generator, dtype=torch.float64)
        spread_K = values_NK.std(0, correction=0)
        return Measured(known.points_ND[chosen].double(), values_NK + self.noise * spread_K * noise_NK, columns)


class FromFile(Measurements):
    """Measurements of one's own: a column for each coordinate and for some or all observables, by their names.

    Args:
        path: .csv with a line of names, .npz or .mat with an array a name.
    """

    def __init__(self, path: str):
        self.path = path

    def read(self, problem: Problem, reference: Callable[[], Reference | None]) -> Measured:
        """The file's columns.

        Raises:
            InputError: no such file, or one that is not read; a coordinate or every observable missing, columns of
                several lengths, numbers that are not finite, points outside the domain.
        """
        columns = _columns_of(Path(self.path))
        measured = [name for name in problem.observables if name in columns]
        missing = [letter for letter in problem.coordinates if letter not in columns]
        if missing or not measured:
            raise InputError(
                f"{self.path}: expected columns {', '.join(problem.coordinates)} and some of "
                f"{', '.join(problem.observables)}, got {', '.join(columns) or 'none'}; rename the columns"
            )
        used = {name: columns[name] for name in [*problem.coordinates, *measured]}
        if len(lengths := {len(column) for column in used.values()}) > 1:
            raise InputError(f"{self.path}: expected columns of one length, got {sorted(lengths)}; mend the file")
        points_ND = torch.stack([used[letter] for letter in problem.coordinates], 1)
        values_NK = torch.stack([used[name] for name in measured], 1)
        check_finite(torch.cat([points_ND, values_NK], 1), self.path)
        _refuse_outside(points_ND, problem, self.path)
        return Measured(points_ND, values_NK, [problem.observables.index(name) for name in measured])


def _columns_of(path: Path) -> dict[str, Tensor]:
    if path.suffix not in _READERS:
        raise InputError(f"{path}: expected a file of {', '.join(_READERS)}, got {path.suffix or 'none'}; convert it")
    try:
        arrays = {name: array for name, array in _READERS[path.suffix](path).items() if array.dtype.kind in "biuf"}
    except (OSError, ValueError, NotImplementedError, BadZipFile) as error:
        raise InputError(
            f"{path}: expected a readable {path.suffix} file, got {error}; mend the path or file"
        ) from error
    return {name: torch.from_numpy(np.asarray(array, dtype=np.float64).reshape(-1)) for name, array in arrays.items()}


def _csv(path: Path) -> dict[str, np.ndarray]:
    with path.open(encoding="utf-8-sig") as file:
        names = [name.strip() for name in file.readline().split(",")]
        lines = [line for line in file if line.partition("#")[0].strip()]
    if not lines:
        raise ValueError("no rows of numbers")
    rows = np.loadtxt(lines, delimiter=",", ndmin=2)
    if rows.shape[1] != len(names):
        raise ValueError(f"{len(names)} names over {rows.shape[1]} columns")
    return dict(zip(names, rows.T, strict=True))


def _npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def matlab_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays by name of a .mat file.

    Raises:
        InputError: SciPy, which reads it, is not installed.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise InputError(f"{path}: expected SciPy to read .mat files, got none; pip install scipy") from error
    return {name: array for name, array in loadmat(path).items() if not name.startswith("__")}


_READERS = {".csv": _csv, ".npz": _npz, ".mat": matlab_arrays}


def _refuse_outside(points_ND: Tensor, problem: Problem, path: str) -> None:
    for column, (letter, (low, high)) in enumerate(problem.bounds.items()):
        outside = (points_ND[:, column] < low) | (points_ND[:, column] > high)
        if outside.any():
            first = int(outside.nonzero()[0])
            raise InputError(
                f"{path}: expected {letter} in [{low:g}, {high:g}], the domain, got "
                f"{float(points_ND[first, column]):g} in row {first}; leave these rows out"
            )
