"""Plane domains: which points are inside, points of the boundary with their outward normals, distance as a factor.

`distance` is an approximate one: zero on the boundary, of slope one there, positive inside, negative outside, and
smooth inside but for the corners. It takes tensors and jets, so that it can multiply a net (`Problem.factor`). Disks
have it as a polynomial, polygons from their edges by R-equivalence, union and difference by R-functions. Rvachev and
Sheiko (1995); Biswas and Shapiro (2004); Sukumar and Srivastava (2022).

Legend: N = points; columns x, y.
"""

import math
from abc import ABC, abstractmethod
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.derivatives import Jet
from zoo.errors import InputError

Box = dict[str, tuple[float, float]]
EDGE = 1e-9  # a point of one part's boundary this near to the other's counts as on both


class Boundary(NamedTuple):
    """Points [N, 2] drawn from curves, outward unit normals [N, 2], and which of them are on the boundary, bool [N]."""

    points_N2: Tensor
    normals_N2: Tensor
    kept_N: Tensor


class Shape(ABC):
    """A bounded part of the plane."""

    @property
    @abstractmethod
    def bounds(self) -> Box:
        """The box around it: {"x": (low, high), "y": (low, high)}."""

    @property
    @abstractmethod
    def length(self) -> float:
        """Of the curves that points are drawn from."""

    @abstractmethod
    def distance(self, x: Any, y: Any) -> Any:
        """Approximate signed distance to the boundary; coordinates and result are tensors or jets [N, 1]."""

    @abstractmethod
    def inside(self, points_N2: Tensor) -> Tensor:
        """[N] bool."""

    @abstractmethod
    def curve_points(self, unit_N: Tensor) -> Boundary:
        """A point for each number in [0, 1), uniform in length; parts of shapes have curves that are no boundary."""

    def boundary_points(self, unit_N: Tensor) -> tuple[Tensor, Tensor]:
        """(points [N, 2] of the boundary, outward unit normals [N, 2]), N no more than the numbers in [0, 1)."""
        drawn = self.curve_points(unit_N)
        return drawn.points_N2[drawn.kept_N], drawn.normals_N2[drawn.kept_N]


class Disk(Shape):
    """(R^2 - |p - centre|^2) / 2R > 0."""

    def __init__(self, centre: tuple[float, float] = (0.0, 0.0), radius: float = 1.0):
        if radius <= 0:
            raise InputError(f"Disk.radius: expected more than 0, got {radius}; mend the problem")
        self.centre, self.radius = tuple(centre), radius

    @property
    def bounds(self) -> Box:
        """See `Shape`."""
        return {c: (m - self.radius, m + self.radius) for c, m in zip("xy", self.centre, strict=True)}

    @property
    def length(self) -> float:
        """See `Shape`."""
        return 2 * math.pi * self.radius

    def distance(self, x: Any, y: Any) -> Any:
        """See `Shape`."""
        dx, dy = x - self.centre[0], y - self.centre[1]
        return (self.radius**2 - dx * dx - dy * dy) * (0.5 / self.radius)

    def inside(self, points_N2: Tensor) -> Tensor:
        """See `Shape`."""
        return self.distance(*points_N2.unbind(1)) > 0

    def curve_points(self, unit_N: Tensor) -> Boundary:
        """See `Shape`."""
        angles_N = 2 * math.pi * unit_N
        normals_N2 = torch.stack([angles_N.cos(), angles_N.sin()], 1)
        points_N2 = normals_N2 * self.radius + normals_N2.new_tensor(self.centre)
        return Boundary(points_N2, normals_N2, torch.ones_like(unit_N, dtype=torch.bool))


class Polygon(Shape):
    """A polygon by its corners in order, either way round; its edges must not cross.

    Args:
        corners: three or more.

    Raises:
        InputError: fewer corners, an edge without length, or no area.
    """

    def __init__(self, corners: list[tuple[float, float]]):
        area = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise([*corners, corners[0]])) / 2 if corners else 0.0
        if len(corners) < 3 or abs(area) < 1e-12 or any(a == b for a, b in pairwise([*corners, corners[0]])):
            raise InputError(
                f"Polygon.corners: expected three or more around an area, got {list(corners)}; mend the problem"
            )
        self.corners = [tuple(corner) for corner in (corners if area > 0 else corners[::-1])]  # counter-clockwise

    @cached_property
    def _edges(self) -> list[tuple[tuple[float, float], tuple[float, float], float]]:
        return [(a, b, math.dist(a, b)) for a, b in pairwise([*self.corners, self.corners[0]])]

    @property
    def bounds(self) -> Box:
        """See `Shape`."""
        return {c: (min(values), max(values)) for c, values in zip("xy", zip(*self.corners, strict=True), strict=True)}

    @property
    def length(self) -> float:
        """See `Shape`."""
        return sum(length for *_, length in self._edges)

    def distance(self, x: Any, y: Any) -> Any:
        """1 / sum of 1 / distance to an edge, with the sign of `inside`."""
        inverse = sum(1 / _edge_distance(x, y, *edge) for edge in self._edges)
        values_N2 = torch.cat([_value(x).reshape(-1, 1), _value(y).reshape(-1, 1)], 1)
        sign = 2.0 * self.inside(values_N2).reshape(_value(x).shape) - 1
        return (1 / inverse) * sign.to(values_N2)

    def inside(self, points_N2: Tensor) -> Tensor:
        """Whether a ray to the right crosses the edges an odd number of times."""
        x_N, y_N = points_N2.unbind(1)
        inside_N = torch.zeros_like(x_N, dtype=torch.bool)
        for (ax, ay), (bx, by), _ in self._edges:
            if ay != by:
                crossing_N = ax + (y_N - ay) * ((bx - ax) / (by - ay))
                inside_N ^= ((ay > y_N) != (by > y_N)) & (x_N < crossing_N)
        return inside_N

    def curve_points(self, unit_N: Tensor) -> Boundary:
        """See `Shape`."""
        lengths_E = unit_N.new_tensor([length for *_, length in self._edges])
        ends_E = lengths_E.cumsum(0)
        along_N = unit_N * ends_E[-1]
        edge_N = torch.searchsorted(ends_E, along_N, right=True).clamp(max=len(ends_E) - 1)
        start_E2 = unit_N.new_tensor([a for a, *_ in self._edges])
        direction_E2 = (unit_N.new_tensor([b for _, b, _ in self._edges]) - start_E2) / lengths_E[:, None]
        rest_N = along_N - (ends_E - lengths_E)[edge_N]
        direction_N2 = direction_E2[edge_N]
        points_N2 = start_E2[edge_N] + rest_N[:, None] * direction_N2
        normals_N2 = torch.stack([direction_N2[:, 1], -direction_N2[:, 0]], 1)
        return Boundary(points_N2, normals_N2, torch.ones_like(unit_N, dtype=torch.bool))


class Rectangle(Polygon):
    """x and y between two numbers each."""

    def __init__(self, x: tuple[float, float] = (0.0, 1.0), y: tuple[float, float] = (0.0, 1.0)):
        super().__init__([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])])


class LShape(Polygon):
    """[-1, 1]^2 without its fourth quadrant; the corner that points inwards is at the origin."""

    def __init__(self):
        super().__init__([(0, 0), (0, -1), (-1, -1), (-1, 1), (1, 1), (1, 0)])


class Pair(Shape, ABC):
    """Two shapes put together. Points are drawn from the curves of both."""

    def __init__(self, first: Shape, second: Shape):
        self.first, self.second = first, second

    @property
    def length(self) -> float:
        """See `Shape`."""
        return self.first.length + self.second.length

    def _curves(self, unit_N: Tensor) -> tuple[Boundary, Boundary, Tensor]:
        """Points of the first curve, of the second, and whether a number stands for the first."""
        along_N = unit_N * self.length
        on_first_N = along_N < self.first.length
        own_N, other_N = along_N / self.first.length, (along_N - self.first.length) / self.second.length
        first = self.first.curve_points(torch.where(on_first_N, own_N, 0.0))
        return first, self.second.curve_points(torch.where(on_first_N, 0.0, other_N)), on_first_N


class Union(Pair):
    """What is in one shape or the other. They must overlap: an edge that they touch along would count as boundary.

    distance = a + b + sqrt(a^2 + b^2)
    """

    @property
    def bounds(self) -> Box:
        """See `Shape`."""
        pairs = ((c, self.first.bounds[c], self.second.bounds[c]) for c in "xy")
        return {c: (min(a[0], b[0]), max(a[1], b[1])) for c, a, b in pairs}

    def distance(self, x: Any, y: Any) -> Any:
        """See the class."""
        a, b = self.first.distance(x, y), self.second.distance(x, y)
        return a + b + torch.sqrt(a * a + b * b)

    def inside(self, points_N2: Tensor) -> Tensor:
        """See `Shape`."""
        return self.first.inside(points_N2) | self.second.inside(points_N2)

    def curve_points(self, unit_N: Tensor) -> Boundary:
        """See `Shape`; of either curve what is not inside the other shape."""
        first, second, on_first_N = self._curves(unit_N)
        kept_N = first.kept_N & ~_well_inside(self.second, first.points_N2)
        other_N = second.kept_N & ~_well_inside(self.first, second.points_N2)
        return _either(on_first_N, first._replace(kept_N=kept_N), second._replace(kept_N=other_N))


class Difference(Pair):
    """What is in the first shape and not in the second.

    distance = a - b - sqrt(a^2 + b^2)
    """

    @property
    def bounds(self) -> Box:
        """See `Shape`."""
        return self.first.bounds

    def distance(self, x: Any, y: Any) -> Any:
        """See the class."""
        a, b = self.first.distance(x, y), self.second.distance(x, y)
        return a - b - torch.sqrt(a * a + b * b)

    def inside(self, points_N2: Tensor) -> Tensor:
        """See `Shape`."""
        return self.first.inside(points_N2) & ~self.second.inside(points_N2)

    def curve_points(self, unit_N: Tensor) -> Boundary:
        """See `Shape`; the first curve outside the second shape, the second one inside the first, turned round."""
        first, second, on_first_N = self._curves(unit_N)
        kept_N = first.kept_N & ~_well_inside(self.second, first.points_N2)
        hole = Boundary(
            second.points_N2, -second.normals_N2, second.kept_N & _well_inside(self.first, second.points_N2)
        )
        return _either(on_first_N, first._replace(kept_N=kept_N), hole)


def _well_inside(shape: Shape, points_N2: Tensor) -> Tensor:
    return shape.distance(*points_N2.unbind(1)) > EDGE


def _either(chosen_N: Tensor, first: Boundary, second: Boundary) -> Boundary:
    return Boundary(
        torch.where(chosen_N[:, None], first.points_N2, second.points_N2),
        torch.where(chosen_N[:, None], first.normals_N2, second.normals_N2),
        torch.where(chosen_N, first.kept_N, second.kept_N),
    )


def _value(x: Any) -> Tensor:
    return x[""] if isinstance(x, Jet) else x


def _edge_distance(x: Any, y: Any, a: tuple[float, float], b: tuple[float, float], length: float) -> Any:
    """sqrt(f^2 + (sqrt(t^2 + f^4) - t)^2 / 4): f the distance to the line, t > 0 within the disk around the edge.

    Sukumar and Srivastava (2022), eq. 11.
    """
    f = ((x - a[0]) * (b[1] - a[1]) - (y - a[1]) * (b[0] - a[0])) * (1 / length)
    dx, dy = x - (a[0] + b[0]) / 2, y - (a[1] + b[1]) / 2
    t = ((length / 2) ** 2 - dx * dx - dy * dy) * (1 / length)
    square = f * f
    beyond = torch.sqrt(t * t + square * square) - t
    return torch.sqrt(square + beyond * beyond * 0.25)
