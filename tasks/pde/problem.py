"""What a PDE problem is: equation, domain, conditions and reference, together in one small class.

A problem of one's own is a subclass of about 30 lines; `tasks/pde/problems/burgers.py` is one.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from zoo.derivatives import Jet, JetSpace
from zoo.errors import InputError


class Field:
    """One field of a solution: `u.value`, `u.t`, `u.xx`, `u.laplacian`, ..., each [N]."""

    def __init__(self, jet: Jet, column: int):
        self._jet, self._column = jet, column

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._jet["" if name == "value" else name][:, self._column]


class _Asked:
    """Stands for a field and notes which derivatives an equation asks for."""

    def __init__(self, names: set[str]):
        self._names = names

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):
            raise AttributeError(name)
        self._names.add("" if name == "value" else name)
        return torch.full((2,), 0.5, dtype=torch.float64)


class Coordinates:
    """The coordinates by their letters: tensors [N] or jets [N, 1]."""

    def __init__(self, **named: Any):
        self.__dict__.update(named)


@dataclass(frozen=True)
class Reference:
    """Values that a solution is judged by.

    Args:
        points_ND: where.
        values_NK: the solution there.
        error: how far they may be from the truth (relative l2): no figure below it means anything.
        grid: shape of the grid that the points are, for pictures.
    """

    points_ND: Tensor
    values_NK: Tensor
    error: float
    grid: tuple[int, ...] = ()


class Problem(ABC):
    """A PDE on a box, with conditions that can be built into the net.

    Class attributes: `bounds` (letter -> (low, high), in the order of the points' columns), `fields`, `constants`,
    `crowd` (letter -> place, near which half of the points are drawn because the solution is steep there).
    """

    bounds: dict[str, tuple[float, float]]
    fields: tuple[str, ...] = ("u",)
    constants: dict[str, float] = {}
    crowd: dict[str, float] = {}

    @abstractmethod
    def equation(self, *fields_points_and_constants: Any) -> Tensor:
        """Residual [N] (or [N, E]) of (field, ..., points, **constants); zero where the equation holds."""

    @abstractmethod
    def reference(self) -> Reference:
        """The solution by other means: exact, or by a solver with its own error."""

    def offset(self, x: Coordinates) -> Any:
        """Part of the solution that meets the conditions by itself, a jet of the coordinates; 0 by default."""
        return 0.0

    def factor(self, x: Coordinates) -> Any:
        """What the net is multiplied by, zero wherever a condition holds; 1 by default."""
        return 1.0

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Letters of the coordinates."""
        return tuple(self.bounds)

    @cached_property
    def space(self) -> JetSpace:
        """The derivatives that the equation asks for.

        Raises:
            InputError: the equation asks for one that there is not, or returns another shape than a residual.
        """
        names: set[str] = set()
        points = Coordinates(**{c: torch.full((2,), 0.5, dtype=torch.float64) for c in self.coordinates})
        residual = self.equation(*[_Asked(names) for _ in self.fields], points, **self.constants)
        if not isinstance(residual, Tensor) or residual.dim() not in (1, 2) or len(residual) != 2:
            got = list(residual.shape) if isinstance(residual, Tensor) else type(residual).__name__
            raise InputError(
                f"{type(self).__name__}.equation: expected a residual [N] or [N, equations], one row a point, got "
                f"{got} for N = 2; return terms of u.value, u.x, ..."
            )
        return JetSpace(self.coordinates, frozenset(names))

    def residual(self, u: Jet, points_ND: Tensor, constants: dict[str, Any]) -> Tensor:
        """Residual [N, E] of a solution given as a jet."""
        fields = [Field(u, column) for column in range(len(self.fields))]
        points = Coordinates(**dict(zip(self.coordinates, points_ND.unbind(1), strict=True)))
        rows = self.equation(*fields, points, **constants)
        return rows[:, None] if rows.dim() == 1 else rows

    def placed(self, unit_ND: Tensor, halves: tuple[str, ...] = ()) -> Tensor:
        """Points of the unit cube, placed in the domain.

        Args:
            unit_ND: in [0, 1), at least as many columns as coordinates.
            halves: letters of coordinates along which the solution is symmetric: only the upper half is used.
        """
        # The first half is a Sobol set of its own; every second point is not: parity is a Sobol point's leading digit.
        columns, crowded = [], torch.arange(len(unit_ND)) < len(unit_ND) // 2
        for column, (letter, (low, high)) in enumerate(self.bounds.items()):
            low = (low + high) / 2 if letter in halves else low
            x = low + (high - low) * unit_ND[:, column]
            if letter in self.crowd:
                centre = self.crowd[letter]
                reach = torch.where(x > centre, high - centre, centre - low).clamp(min=1e-300)
                x = torch.where(crowded, centre + reach * ((x - centre) / reach) ** 3, x)
            columns.append(x)
        return torch.stack(columns, 1)
