"""Maps of a domain of two coordinates: the places of a grid, those outside the domain left out.

A reference on a grid is drawn on it, be it one with holes; any other problem on a grid over its box. Time goes down and
space across; of x and y, x goes across and y up.

Legend: N = places, K = observables, R = rows, C = columns.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tasks.pde.problem import Problem
from tasks.pde.references import axes_of, grid_of
from zoo.reports import Figure, heat_map

if TYPE_CHECKING:
    from tasks.pde.task import PhysicsInformed

SIDE = 101  # places along each side of a box
MOST_HOLES = 4  # a grid of more than so many cells a point is none
MOST_LABELS = 12  # of the rows


@dataclass(frozen=True)
class Raster:
    """Places of a grid.

    Args:
        letters: of the two coordinates.
        axes: their places, rising.
        points_N2: the places, of the net's dtype.
        cells_N: which cell of the grid each of them is, the second coordinate fastest.
        expected_NK: what is observed of the solution there, float64, where it is known.
    """

    letters: tuple[str, ...]
    axes: tuple[Tensor, Tensor]
    points_N2: Tensor
    cells_N: Tensor
    expected_NK: Tensor | None

    @classmethod
    def of(cls, task: "PhysicsInformed") -> "Raster | None":
        """None where the problem has another number of coordinates than two."""
        problem, reference = task.problem, task.reference
        if len(problem.coordinates) != 2:
            return None
        found = grid_with_holes(reference.points_ND) if reference is not None else None
        if found is not None:
            return cls(problem.coordinates, *found, reference.values_NK.double())._like(task)
        points_N2, sizes = grid_of(problem.bounds, (SIDE, SIDE))
        cells_N = _inside(problem, points_N2).nonzero()[:, 0]
        axes, points_N2 = tuple(axes_of(problem.bounds, sizes)), points_N2[cells_N]
        known = type(problem).solution is not Problem.solution
        expected_NK = problem.solution(points_N2)[0].double() if known else None
        return cls(problem.coordinates, axes, points_N2, cells_N, expected_NK)._like(task)

    def _like(self, task: "PhysicsInformed") -> "Raster":
        points_N2 = self.points_N2.to(next(task.net.parameters()).dtype)
        return Raster(self.letters, self.axes, points_N2, self.cells_N, self.expected_NK)

    def thinned(self, most: tuple[int, int]) -> "Raster":
        """Every so manieth place along each coordinate, at most so many of them."""
        sizes = [len(axis) for axis in self.axes]
        first, second = (-(-size // wanted) for size, wanted in zip(sizes, most, strict=True))
        row_N, column_N = self.cells_N // sizes[1], self.cells_N % sizes[1]
        kept_N = (row_N % first == 0) & (column_N % second == 0)
        axes = self.axes[0][::first], self.axes[1][::second]
        cells_N = row_N[kept_N] // first * len(axes[1]) + column_N[kept_N] // second
        expected_NK = None if self.expected_NK is None else self.expected_NK[kept_N]
        return Raster(self.letters, axes, self.points_N2[kept_N], cells_N, expected_NK)

    def grid(self, values_N: Tensor) -> np.ndarray:
        """[places of the first coordinate, of the second]; NaN outside the domain."""
        sizes = len(self.axes[0]), len(self.axes[1])
        filled = torch.full((sizes[0] * sizes[1],), math.nan, dtype=torch.float64)
        filled[self.cells_N] = values_N.detach().double()
        return filled.reshape(sizes).numpy()

    @property
    def reading(self) -> str:
        """How a map is to be read."""
        across, down = (1, 0) if "t" in self.letters else (0, 1)
        return f"{self.letters[down]} {'down' if across else 'up'}, {self.letters[across]} across"

    def drawn(self, values_N: Tensor, caption: str = "", log: bool = False) -> Figure:
        """A map."""
        values, (rows, columns), across = self.grid(values_N), self.axes, self.letters[1]
        if "t" not in self.letters:
            values, rows, columns, across = values.T[::-1], columns.flip(0), rows, self.letters[0]
        names, every = labels(rows), -(-len(rows) // MOST_LABELS)
        names = [name if i % every == 0 else "" for i, name in enumerate(names)]
        return heat_map(values, names, labels(columns), log, across, caption, blank=True)


def grid_with_holes(points_N2: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor] | None:
    """(axes, points, cells) of the grid that points are taken from; None where they are scattered.

    >>> grid_with_holes(torch.tensor([[0.0, 1.0], [0.0, 3.0], [2.0, 3.0]]))[2].tolist()
    [0, 1, 3]
    """
    (first, row_N), (second, column_N) = (column.unique(return_inverse=True) for column in points_N2.unbind(1))
    if len(first) * len(second) > MOST_HOLES * len(points_N2):
        return None
    return (first, second), points_N2, row_N * len(second) + column_N


def labels(axis: Tensor) -> list[str]:
    """Places in words, to a hundredth of their range or finer.

    >>> labels(torch.tensor([-1e-9, 1.0])), labels(torch.tensor([0.0, 0.001]))
    (['0.00', '1.00'], ['0.00000', '0.00100'])
    """
    span = float(axis[-1] - axis[0])
    digits = max(2, math.ceil(2 - math.log10(abs(span)))) if span else 2
    return [f"{round(value, digits) + 0.0:.{digits}f}" for value in axis.tolist()]  # + 0.0: no "-0.00"


def _inside(problem: Problem, points_N2: Tensor) -> Tensor:
    if problem.geometry is None:
        return torch.ones(len(points_N2), dtype=torch.bool)
    return problem.geometry.inside(points_N2[:, [problem.coordinates.index(letter) for letter in "xy"]])
