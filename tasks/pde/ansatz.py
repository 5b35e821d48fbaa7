"""Structure that a solution is known to have, built into the net: conditions, symmetries and periods hold exactly."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tasks.pde.fields import Coordinates
from tasks.pde.problem import Problem
from zoo.derivatives import Jet, derivatives_of, jet_of, per_point
from zoo.errors import InputError

Symmetry = Literal["odd", "even"]


class Ansatz(nn.Module):
    """u(x) = offset(x) + factor(x) N(features(x)), with N made odd or even about the middle of a coordinate.

    N is made odd by N(x) - N(x mirrored), even by the sum: the net is evaluated at both, in exchange for points that
    are drawn from half of the domain. A periodic coordinate enters as cos and sin of its harmonics (cos alone where
    the solution is even), one with Neumann conditions as cos(k pi s), s from 0 to 1 over its range, whose slope is
    zero at both ends; every other coordinate is scaled to [-1, 1]. Dong and Ni (2021). A coordinate along which the
    solution oscillates can have waves beside it, without being periodic. Tancik et al. (2020).

    Args:
        net: features [N, F] -> fields [N, K].
        problem: gives offset, factor and domain.
        hard_conditions: use offset and factor; without them the net alone is the solution.
        symmetry: letter of a coordinate -> "odd" or "even".
        periodic: letter -> number of harmonics.
        neumann: letter -> number of harmonics; zero slope at both ends.
        waves: letter -> how many pairs cos(k pi s), sin(k pi s), s from -1 to 1, enter beside s itself.
        unknown: name of a constant that is to be found -> its first guess.

    Raises:
        InputError: a letter that is no coordinate, or with two structures that exclude each other, or harmonics below
            1; a name that is no constant.
    """

    def __init__(
        self,
        net: nn.Module,
        problem: Problem,
        hard_conditions: bool,
        symmetry: dict[str, Symmetry] | None = None,
        periodic: dict[str, int] | None = None,
        neumann: dict[str, int] | None = None,
        unknown: dict[str, float] | None = None,
        waves: dict[str, int] | None = None,
    ):
        super().__init__()
        self.symmetry, self.periodic, self.neumann = symmetry or {}, periodic or {}, neumann or {}
        self.waves = waves or {}
        for option in ("symmetry", "periodic", "neumann", "waves"):
            _refuse_unknown(f"model.{option}", "letters", getattr(self, option), problem.coordinates)
        for option in ("periodic", "neumann", "waves"):
            _refuse_no_harmonics(f"model.{option}", getattr(self, option))
        _refuse_unknown("model.unknown", "constants", unknown or {}, tuple(problem.constants))
        if both := set(self.neumann) & {*self.periodic, *self.symmetry}:
            raise InputError(f"model.neumann: expected {min(both)} in no other structure, got it in two; leave one out")
        if both := set(self.waves) & {*self.periodic, *self.neumann}:
            raise InputError(f"model.waves: expected {min(both)} in no other features, got it in two; leave one out")
        self.net, self.problem, self.hard_conditions = net, problem, hard_conditions
        self.continued: dict[str, float] = {}  # constants that are not at their own values yet
        self.unknown = nn.ParameterDict({name: nn.Parameter(torch.tensor(v)) for name, v in (unknown or {}).items()})

    def forward(self, x: Jet) -> Jet:
        """The solution at the coordinates."""
        mirrored = [(c, kind) for c, kind in self.symmetry.items() if kind == "odd" or c not in self.periodic]
        n = self._symmetric(x, mirrored)
        if not self.hard_conditions:
            return n
        one = Coordinates(**{c: x[..., i : i + 1] for i, c in enumerate(self.problem.coordinates)})
        return n * self.problem.factor(one) + self.problem.offset(one)

    @property
    def halved(self) -> tuple[str, ...]:
        """Letters of the coordinates of which half needs points."""
        return tuple(self.symmetry)

    def constants(self, points: int) -> dict[str, Any]:
        """The problem's constants, those that are sought as [N], one copy a point."""
        return {
            **self.problem.constants,
            **self.continued,
            **{name: per_point(p, points) for name, p in self.unknown.items()},
        }

    def _symmetric(self, x: Jet, left: list[tuple[str, Symmetry]]) -> Any:
        if not left:
            return self.net(self._features(x))
        (letter, kind), *rest = left
        column = self.problem.coordinates.index(letter)
        low, high = self.problem.bounds[letter]
        sign = torch.ones(len(self.problem.coordinates), dtype=x.dtype)
        sign[column] = -1
        shift = torch.zeros_like(sign)
        shift[column] = low + high
        mirrored = self._symmetric(x * sign + shift, rest)
        own = self._symmetric(x, rest)
        return own - mirrored if kind == "odd" else own + mirrored

    def _features(self, x: Jet) -> Jet:
        low, high = (torch.tensor(ends, dtype=x.dtype) for ends in zip(*self.problem.bounds.values(), strict=True))
        scaled = (x - (low + high) / 2) * (2 / (high - low))  # [-1, 1]
        if not self.periodic and not self.neumann and not self.waves:
            return scaled
        parts = []
        for column, letter in enumerate(self.problem.coordinates):
            s = scaled[..., column : column + 1]
            if letter in self.periodic:
                waves = s * _multiples(self.periodic[letter], s.dtype)
                parts += (
                    [torch.cos(waves)] if self.symmetry.get(letter) == "even" else [torch.cos(waves), torch.sin(waves)]
                )
            elif letter in self.neumann:
                parts.append(torch.cos((s + 1) * (_multiples(self.neumann[letter], s.dtype) / 2)))
            else:
                waves = s * _multiples(self.waves[letter], s.dtype) if letter in self.waves else None
                parts += [s] if waves is None else [s, torch.cos(waves), torch.sin(waves)]
        return torch.cat(parts, -1)


def refuse_unfit(ansatz: Ansatz) -> None:
    """Refuse a net of another number of inputs or outputs than the problem has features and fields.

    Raises:
        InputError: it has.
    """
    problem, mend = ansatz.problem, "set model.net's in_features and out_features"
    points = torch.zeros(2, len(problem.coordinates), dtype=next(ansatz.parameters()).dtype)
    inputs = ansatz._features(jet_of(points, problem.space)).shape[1]
    wanted = f"{inputs} inputs and {len(problem.fields)} outputs"
    try:
        with torch.no_grad():
            found = derivatives_of(ansatz, points, problem.space).shape[1]
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:100]
        raise InputError(f"model.net: expected {wanted}, got a net that refuses them ({reason}); {mend}") from error
    if found != len(problem.fields):
        raise InputError(f"model.net: expected {wanted}, got {found} outputs; {mend}")


def _multiples(count: int, dtype: torch.dtype) -> Tensor:
    return torch.arange(1, count + 1, dtype=dtype) * math.pi


def _refuse_unknown(key: str, what: str, given: dict[str, Any], known: tuple[str, ...]) -> None:
    if unknown := set(given) - set(known):
        raise InputError(f"{key}: expected {what} among {', '.join(known)}, got {min(unknown)}; mend the recipe")


def _refuse_no_harmonics(key: str, harmonics: dict[str, int]) -> None:
    for letter, count in harmonics.items():
        if count < 1:
            raise InputError(f"{key}: expected 1 harmonic of {letter} or more, got {count}; leave {letter} out")
