"""What a PDE problem is: equation, domain, conditions and reference, together in one small class.

A problem of one's own is a subclass of about 30 lines; `tasks/pde/problems/burgers.py` is one.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import NORMAL, Coordinates, Rows, rows_at, space_of
from tasks.pde.geometry import Shape
from zoo.derivatives import Jet, JetSpace
from zoo.errors import InputError


@dataclass(frozen=True)
class Reference:
    """Values that a solution is judged by.

    Args:
        points_ND: where.
        values_NK: what is observed of the solution there (its fields unless the problem says otherwise).
        error: how far they may be from the truth (relative l2): no figure below it means anything.
        grid: shape of the grid that the points are, for pictures.
    """

    points_ND: Tensor
    values_NK: Tensor
    error: float
    grid: tuple[int, ...] = ()

    def __post_init__(self):
        points, values = self.points_ND.shape, self.values_NK.shape
        if len(points) != 2 or len(values) != 2 or points[0] != values[0]:
            raise InputError(
                f"Reference: expected points [N, coordinates] and values [N, observables], got {list(points)} and "
                f"{list(values)}; mend the problem"
            )
        if self.grid and math.prod(self.grid) != points[0]:
            raise InputError(f"Reference.grid: expected {points[0]} points, got {self.grid}; mend the problem")


@dataclass(frozen=True)
class Condition:
    """An initial or boundary condition that training is to meet.

    Args:
        residual: (field, ..., points, **constants) -> [N] or [N, E]; zero where it is met.
        at: letter -> value of the coordinates that are fixed, such as {"t": 0.0}.
        on_boundary: at the boundary of the problem's geometry, whose outward normal is points.nx and points.ny.
    """

    residual: Rows
    at: dict[str, float] = field(default_factory=dict)
    on_boundary: bool = False


class Problem(ABC):
    """A PDE on a box or a plane shape in it, with conditions that can be built into the net or trained.

    Class attributes: `bounds` (letter -> (low, high), in the order of the points' columns), `fields`, `constants`,
    `crowd` (letter -> place, near which half of the points are drawn because the solution is steep there),
    `geometry` (shape of the coordinates x and y; None: the box), `built_in` (names of the conditions that `offset` and
    `factor` meet; None: all), `observables` (names of what `observed` returns).
    """

    bounds: dict[str, tuple[float, float]]
    fields: tuple[str, ...] = ("u",)
    constants: dict[str, float] = {}
    crowd: dict[str, float] = {}
    built_in: tuple[str, ...] | None = None
    geometry: Shape | None = None

    @abstractmethod
    def equation(self, *fields_points_and_constants: Any) -> Tensor:
        """Residual [N] (or [N, E]) of (field, ..., points, **constants); zero where the equation holds."""

    def reference(self) -> Reference | None:
        """The solution by other means: exact, or by a solver with its own error; None: the error stays unknown."""
        return None

    def solution(self, points_ND: Tensor) -> tuple[Tensor, float]:
        """(observables [N, K] at any points of the domain, their relative l2 error), where they are known.

        Raises:
            InputError: they are not.
        """
        raise InputError(
            f"problem: expected one whose solution is known at any point, got {type(self).__name__}; give it `solution`"
        )

    def conditions(self) -> dict[str, Condition]:
        """Initial and boundary conditions by name, for training without (all of) them built in."""
        return {}

    def offset(self, x: Coordinates) -> Any:
        """Part of the solution that meets the conditions by itself, a jet of the coordinates; 0 by default."""
        return 0.0

    def factor(self, x: Coordinates) -> Any:
        """What the net is multiplied by, zero wherever a condition holds; 1 by default."""
        return 1.0

    def observed(self, *fields_and_points: Any) -> Tensor:
        """[N, K] of (field, ..., points): what is compared with the reference; the fields by default."""
        *fields, _ = fields_and_points
        return torch.stack([one.value for one in fields], 1)

    @property
    def observables(self) -> tuple[str, ...]:
        """Names of the columns of `observed`."""
        return self.fields

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Letters of the coordinates."""
        return tuple(self.bounds)

    @cached_property
    def space(self) -> JetSpace:
        """The derivatives that the equation asks for."""
        return self.space_asked(self.equation, f"{type(self).__name__}.equation")

    def space_asked(self, rows_of: Rows, what: str, constants: bool = True, normal: bool = False) -> JetSpace:
        """The derivatives that an equation, condition or observation asks for."""
        given = self.constants if constants else {}
        return space_of(rows_of, len(self.fields), self.coordinates, given, what, NORMAL if normal else ())

    def residual(self, u: Jet, points_ND: Tensor, constants: dict[str, Any]) -> Tensor:
        """Residual [N, E] of the equation at a solution given as a jet."""
        return rows_at(self.equation, u, points_ND, constants)

    def placed(
        self,
        unit_ND: Tensor,
        halves: tuple[str, ...] = (),
        at: dict[str, float] | None = None,
        on_boundary: bool = False,
    ) -> Tensor:
        """Points of the unit cube, placed in the domain; fewer where a geometry leaves some out.

        Args:
            unit_ND: in [0, 1), at least as many columns as coordinates.
            halves: letters of coordinates along which the solution is symmetric: only the upper half is used.
            at: coordinates that are fixed, for conditions.
            on_boundary: on that of the geometry; the normal's components are two more columns.

        Raises:
            InputError: no point is in the geometry.
        """
        # The first half is a Sobol set of its own; every second point is not: parity is a Sobol point's leading digit.
        columns, crowded, at = [], torch.arange(len(unit_ND)) < len(unit_ND) // 2, at or {}
        for column, (letter, (low, high)) in enumerate(self.bounds.items()):
            if letter in at:
                columns.append(torch.full_like(unit_ND[:, 0], at[letter]))
                continue
            low = (low + high) / 2 if letter in halves else low
            x = low + (high - low) * unit_ND[:, column]
            if letter in self.crowd:
                centre = self.crowd[letter]
                reach = torch.where(x > centre, high - centre, centre - low).clamp(min=1e-300)
                x = torch.where(crowded, centre + reach * ((x - centre) / reach) ** 3, x)
            columns.append(x)
        points_ND = torch.stack(columns, 1)
        if self.geometry is None:
            return points_ND
        place = [self.coordinates.index("x"), self.coordinates.index("y")]
        if not on_boundary:
            found_ND = points_ND[self.geometry.inside(points_ND[:, place])]
        else:
            drawn = self.geometry.curve_points(unit_ND[:, place[0]])
            points_ND[:, place] = drawn.points_N2
            kept_N = drawn.kept_N
            for letter in halves:
                kept_N = kept_N & (points_ND[:, self.coordinates.index(letter)] >= sum(self.bounds[letter]) / 2)
            found_ND = torch.cat([points_ND, drawn.normals_N2], 1)[kept_N]
        if not len(found_ND):
            raise InputError(f"data.points: expected some in {type(self).__name__}.geometry, got none; take more")
        return found_ND

    def trained_conditions(self, hard_conditions: bool, measured: bool = False) -> dict[str, Condition]:
        """The conditions that are not built into the solution; a solution that is measured needs none.

        Raises:
            InputError: a condition outside the domain; soft conditions wanted of a problem that names none.
        """
        every = self.conditions()
        self._refuse_unfit_geometry(every)
        for name, condition in every.items():
            for letter, value in condition.at.items():
                low, high = self.bounds.get(letter, (1.0, 0.0))
                if not low <= value <= high:
                    raise InputError(
                        f"{type(self).__name__}.conditions[{name!r}]: expected {letter} in {self.bounds.get(letter)}, "
                        f"got {value}; mend the problem"
                    )
        if not hard_conditions and not every and not measured:
            raise InputError(
                f"model.hard_conditions: expected true, since {type(self).__name__} names no conditions, got false; "
                "give it `conditions`"
            )
        if not hard_conditions:
            return every
        kind = type(self)
        if every and self.built_in is None and kind.offset is Problem.offset and kind.factor is Problem.factor:
            raise InputError(
                f"model.hard_conditions: expected false, since {kind.__name__} builds none of its conditions in, got "
                "true; set it, or give the problem `offset` and `factor`"
            )
        built_in = tuple(every) if self.built_in is None else self.built_in
        return {name: condition for name, condition in every.items() if name not in built_in}

    def _refuse_unfit_geometry(self, conditions: dict[str, Condition]) -> None:
        name = type(self).__name__
        if self.geometry is None:
            if wanted := [one for one, condition in conditions.items() if condition.on_boundary]:
                raise InputError(
                    f"{name}.conditions[{wanted[0]!r}]: expected a geometry to be on the boundary of, got none; set "
                    "geometry, or fix a coordinate by `at`"
                )
            return
        for key, condition in conditions.items():
            if condition.on_boundary and (fixed := {"x", "y"} & set(condition.at)):
                raise InputError(
                    f"{name}.conditions[{key!r}]: expected x and y free on the boundary, got {min(fixed)} fixed; "
                    "leave one out"
                )
        for letter, (low, high) in self.geometry.bounds.items():
            wide = self.bounds.get(letter, (math.inf, -math.inf))
            if low < wide[0] or high > wide[1]:
                raise InputError(
                    f"{name}.bounds: expected {letter} from {low} to {high}, as the geometry needs, got "
                    f"{self.bounds.get(letter)}; mend the problem"
                )
