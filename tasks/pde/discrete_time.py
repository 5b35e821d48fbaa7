"""One large step in time by an implicit Runge-Kutta method whose stages a net returns all at once.

Raissi, Perdikaris and Karniadakis (2019), section 3.2.

Suffixes: N points in space, Q stages, S = Q + 1 states (the stages and the end), D coordinates of space.
"""

from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from tasks.pde.fields import Coordinates, Field
from tasks.pde.problem import Condition, Problem, Reference
from tasks.pde.references import grid_of
from tasks.pde.runge_kutta import gauss_legendre
from zoo.derivatives import Jet, JetSpace
from zoo.errors import InputError


class DiscreteTime(Problem):
    """A problem u_t = f(u, u_x, ...) over space alone, from its solution at `start` to its solution at `start + step`.

        u_i - h sum_j a_ij f(u_j) = u(start, x),  u_end - h sum_j b_j f(u_j) = u(start, x)

    The net returns u_1 .. u_q and u_end, whose error is of order h^2q; a hundred stages take any step at once. Boundary
    conditions are those of the problem, built in or trained at the time of each stage.

    Args:
        problem: of one field, with an equation u.t + ... and a `solution`, which gives the start and judges the end.
        stages: of the Gauss-Legendre method.
        start: time at which the solution is known.
        step: to the time at which it is sought.

    Raises:
        InputError: a problem without t, of several fields or another order in t; a time outside its domain.
    """

    def __init__(self, problem: Problem, stages: int = 100, start: float = 0.1, step: float = 0.8):
        self.continuous, self.start, self.step = problem, start, step
        _refuse_unfit(problem, start, step)
        self.bounds = {letter: ends for letter, ends in problem.bounds.items() if letter != "t"}
        self.crowd = {letter: place for letter, place in problem.crowd.items() if letter != "t"}
        self.constants, self.built_in, self.observables = problem.constants, problem.built_in, problem.fields
        self.fields = (*(f"stage {i}" for i in range(1, stages + 1)), "end")
        a_QQ, b_Q, c_Q = (torch.from_numpy(part) for part in gauss_legendre(stages))
        self.weights_SQ = step * torch.cat([a_QQ, b_Q[None]])
        self.times_S = start + step * torch.cat([c_Q, c_Q.new_ones(1)])
        self._known: tuple[Tensor, Tensor] | None = None

    observables: tuple[str, ...] = ()

    @cached_property
    def space(self) -> JetSpace:
        """The derivatives along space that the equation asks for."""
        return JetSpace(self.coordinates, self.continuous.space.wanted - {"t"})

    def equation(self, *states_points_and_constants: Any, **constants: Any) -> Tensor:
        """Residual [N, S]."""
        *states, points = states_points_and_constants
        return self._rows(_Stacked(states), points, constants)

    def residual(self, u: Jet, points_ND: Tensor, constants: dict[str, Any]) -> Tensor:
        """`equation` on all states in one piece, without taking them apart."""
        points = Coordinates(**dict(zip(self.coordinates, points_ND.unbind(1), strict=True)))
        return self._rows(Field(u, slice(None)), points, constants)

    def _rows(self, states: Any, points: Coordinates, constants: dict[str, Any]) -> Tensor:
        u_NS = states.value
        given = {name: v[:, None] if isinstance(v, Tensor) and v.dim() else v for name, v in constants.items()}
        rates_NS = -self.continuous.equation(_Still(states), self._at_stages(points, u_NS), **given)
        points_ND = torch.stack([getattr(points, letter) for letter in self.coordinates], 1)
        known_N1 = self._solution_at_start(points_ND).to(u_NS)
        return u_NS - rates_NS[:, :-1] @ self.weights_SQ.t().to(u_NS) - known_N1

    def _at_stages(self, points: Coordinates, like: Tensor) -> Coordinates:
        columns = {letter: getattr(points, letter)[:, None] for letter in self.coordinates}
        return Coordinates(**columns, t=self.times_S[None].to(like))

    def _solution_at_start(self, points_ND: Tensor) -> Tensor:
        # The trials of one optimiser step share their points.
        if self._known is None or not self._known[0].equal(points_ND):
            self._known = points_ND, self._solution(points_ND, self.start)[0]
        return self._known[1]

    def _solution(self, points_ND: Tensor, time: float) -> tuple[Tensor, float]:
        columns = dict(zip(self.coordinates, points_ND.double().unbind(1), strict=True))
        columns["t"] = torch.full_like(points_ND[:, 0], time, dtype=torch.float64)
        return self.continuous.solution(torch.stack([columns[letter] for letter in self.continuous.coordinates], 1))

    def offset(self, x: Coordinates) -> Any:
        """That of the problem at the time of each state."""
        return self.continuous.offset(self._timed(x))

    def factor(self, x: Coordinates) -> Any:
        """That of the problem at the time of each state."""
        return self.continuous.factor(self._timed(x))

    def _timed(self, x: Coordinates) -> Coordinates:
        columns = {letter: getattr(x, letter) for letter in self.coordinates}
        return Coordinates(**columns, t=self.times_S[None].to(columns[self.coordinates[0]].dtype))

    def conditions(self) -> dict[str, Condition]:
        """The problem's boundary conditions, at every state."""
        return {
            name: Condition(partial(self._condition_rows, condition), condition.at)
            for name, condition in self.continuous.conditions().items()
            if "t" not in condition.at
        }

    def _condition_rows(self, condition: Condition, *states_and_points: Any, **constants: Any) -> Tensor:
        *states, points = states_and_points
        stacked = _Stacked(states)
        return condition.residual(_Still(stacked), self._at_stages(points, stacked.value), **constants)

    def observed(self, *states_and_points: Any) -> Tensor:
        """The end."""
        return states_and_points[-2].value[:, None]

    def reference(self) -> Reference:
        """The problem's solution at the end."""
        points_ND, grid = grid_of(self.bounds, ({1: 257, 2: 65}.get(len(self.bounds), 17),) * len(self.bounds))
        values_NK, error = self._solution(points_ND, self.start + self.step)
        return Reference(points_ND, values_NK, error, grid)


class _Stacked:
    """Several fields as one of values [N, S]."""

    def __init__(self, fields: list[Any]):
        self._fields = fields

    def __getattr__(self, name: str) -> Tensor:
        return torch.stack([getattr(field, name) for field in self._fields], 1)


class _Still:
    """A field whose derivative to time is left out: the equation u.t - f(u) of it is -f(u)."""

    t = 0.0

    def __init__(self, field: Any):
        self._field = field

    def __getattr__(self, name: str) -> Tensor:
        return getattr(self._field, name)


class _Moving:
    """A field of whose derivatives only that to time differs from zero."""

    def __init__(self, rate: float):
        self._rate = rate

    def __getattr__(self, name: str) -> Tensor:
        return torch.full((2,), self._rate if name == "t" else 0.0, dtype=torch.float64)


def _refuse_unfit(problem: Problem, start: float, step: float) -> None:
    name = f"DiscreteTime.problem: expected an equation u.t + ... of one field, got {type(problem).__name__}"
    if "t" not in problem.bounds or len(problem.fields) != 1:
        raise InputError(
            f"{name} of {', '.join(problem.fields)} over {', '.join(problem.bounds)}; solve it in one piece"
        )
    timed = {letters for letters in problem.space.wanted if "t" in letters}
    points = Coordinates(**{c: torch.full((2,), 0.5, dtype=torch.float64) for c in problem.coordinates})
    fast, slow = (problem.equation(_Moving(rate), points, **problem.constants) for rate in (1.0, 0.0))
    if timed != {"t"} or not torch.allclose(fast - slow, torch.ones_like(fast)):
        raise InputError(f"{name} with derivatives {', '.join(sorted(timed)) or 'none'} to t; write it so")
    low, high = problem.bounds["t"]
    if not low <= start < start + step <= high:
        raise InputError(
            f"DiscreteTime: expected a step within t = {low:g} .. {high:g}, got {start:g} .. {start + step:g}; mend it"
        )
