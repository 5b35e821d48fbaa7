"""What equations are written in: the fields of a solution with their derivatives, and the coordinates, by letters."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from zoo.derivatives import Jet, JetSpace
from zoo.errors import InputError

Rows = Callable[..., Tensor]  # (field, ..., points, **constants) -> [N] or [N, E]


class Field:
    """One field of a solution: `u.value`, `u.t`, `u.xx`, `u.laplacian`, ..., each [N]."""

    def __init__(self, jet: Jet, column: int):
        self._jet, self._column = jet, column

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._jet["" if name == "value" else name][:, self._column]


class Coordinates:
    """The coordinates by their letters: tensors [N] or jets [N, 1]; on a boundary also its normal, nx and ny."""

    def __init__(self, **named: Any):
        self.__dict__.update(named)


class _Asked:
    """Stands for a field and notes which derivatives are asked for."""

    def __init__(self, names: set[str]):
        self._names = names

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):
            raise AttributeError(name)
        self._names.add("" if name == "value" else name)
        return torch.full((2,), 0.5, dtype=torch.float64)


def space_of(
    rows_of: Rows,
    fields: int,
    coordinates: tuple[str, ...],
    constants: dict[str, float],
    what: str,
    further: tuple[str, ...] = (),
) -> JetSpace:
    """The derivatives that a function of fields, points and constants asks for, found by calling it once.

    `further` names what points carry beyond their coordinates.

    Raises:
        InputError: it asks for a derivative that there is not, or returns another shape than one row a point.
    """
    names: set[str] = set()
    points = Coordinates(**{c: torch.full((2,), 0.5, dtype=torch.float64) for c in (*coordinates, *further)})
    rows = rows_of(*[_Asked(names) for _ in range(fields)], points, **constants)
    if not isinstance(rows, Tensor) or rows.dim() not in (1, 2) or len(rows) != 2:
        got = list(rows.shape) if isinstance(rows, Tensor) else type(rows).__name__
        raise InputError(
            f"{what}: expected a residual [N] or [N, equations], one row a point, got {got} for N = 2; return terms of "
            "u.value, u.x, ..."
        )
    return JetSpace(coordinates, frozenset(names))


NORMAL = ("nx", "ny")  # columns of a boundary's points after their coordinates


def rows_at(rows_of: Rows, u: Jet, points_ND: Tensor, constants: dict[str, Any]) -> Tensor:
    """[N, E]: a function of fields, points and constants at a solution given as a jet."""
    fields = [Field(u, column) for column in range(u.shape[1])]
    names = (*u.space.coordinates, *NORMAL)[: points_ND.shape[1]]
    points = Coordinates(**dict(zip(names, points_ND.unbind(1), strict=True)))
    rows = rows_of(*fields, points, **constants)
    return rows[:, None] if rows.dim() == 1 else rows
