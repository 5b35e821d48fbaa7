"""Two operators: the antiderivative, and a source to the solution of a reaction-diffusion equation. Lu et al. (2021).

Legend: B = functions, M = sensors, Q = points, N = points, D = coordinates, C = derivatives of a jet, J = lifts.
"""

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from tasks.pde.operators.chebyshev import chebyshev_nodes, integration_matrix
from tasks.pde.operators.random_fields import Functions, gaussian_field
from tasks.pde.operators.reaction_diffusion import reaction_diffusion
from tasks.pde.problem import Coordinates
from zoo.derivatives import JetSpace
from zoo.errors import InputError


class Solution:
    """A solution as an equation sees it: `s.value`, `s.t`, `s.xx`, ..., each [B, Q]."""

    def __init__(self, space: JetSpace, s_CBQ: Tensor):
        self._space, self._s_CBQ = space, s_CBQ

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._s_CBQ[self._space.place("" if name == "value" else name)]


class OperatorProblem(ABC):
    """Input function u(x) -> solution s(y) on the unit box.

    Class attributes: `bounds` (letter -> (low, high), in the order of the points' columns) and `derivatives` (names of
    those that the equation asks for).
    """

    bounds: dict[str, tuple[float, float]]
    derivatives: frozenset[str]

    @abstractmethod
    def equation(self, s: Solution, source_BQ: Tensor) -> Tensor:
        """Residual [B, Q], zero where the equation holds; `source_BQ` is the input function at the points' x."""

    @abstractmethod
    def solution(self, inputs: Functions, sizes: list[int], refined: bool = False) -> Tensor:
        """[B, points of the grid of these sizes over the box]; a finer computation where `refined`."""

    @abstractmethod
    def factor(self, y: Coordinates) -> Any:
        """Jet that is zero wherever a condition holds."""

    @abstractmethod
    def on_conditions(self, unit_ND: Tensor) -> Tensor:
        """Points of the unit box moved to where the solution is to be zero."""

    def lift(self, points_ND: Tensor, space: JetSpace) -> Tensor | None:
        """[C, N, 2]: functions that the input's first and last value bring into the solution; none by default."""
        return None

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Letters of the coordinates."""
        return tuple(self.bounds)

    @cached_property
    def space(self) -> JetSpace:
        """The derivatives that the equation asks for."""
        return JetSpace(self.coordinates, self.derivatives)

    @cached_property
    def values(self) -> JetSpace:
        """No derivatives."""
        return JetSpace(self.coordinates, frozenset())

    @cached_property
    def solution_error(self) -> float:
        """Relative l2 difference of `solution` to a finer computation, and not below rounding."""
        inputs, sizes = gaussian_field(4, 0), [21] * len(self.bounds)
        plain, fine = self.solution(inputs, sizes), self.solution(inputs, sizes, refined=True)
        return max(float((plain - fine).norm() / fine.norm()), 1e-14)


class Antiderivative(OperatorProblem):
    """ds/dx = u(x), s(0) = 0."""

    bounds = {"x": (0.0, 1.0)}
    derivatives = frozenset({"x"})

    def equation(self, s: Solution, source_BQ: Tensor) -> Tensor:
        """See the class."""
        return s.x - source_BQ

    def solution(self, inputs: Functions, sizes: list[int], refined: bool = False) -> Tensor:
        """Integral of the interpolant."""
        x = torch.linspace(0, 1, sizes[0], dtype=torch.float64)
        nodes = inputs.values_BN.shape[1]
        if refined:  # of the integral of a finer interpolant, computed anew
            values_BN = inputs.at(chebyshev_nodes(2 * nodes))
            return values_BN @ integration_matrix(2 * nodes, x).t()
        return inputs.values_BN @ integration_matrix(nodes, x).t()

    def factor(self, y: Coordinates) -> Any:
        """x"""
        return y.x

    def on_conditions(self, unit_ND: Tensor) -> Tensor:
        """x = 0."""
        return torch.zeros_like(unit_ND)


class ReactionDiffusion(OperatorProblem):
    """s_t = D s_xx + k s^2 + u(x), s = 0 at t = 0, x = 0 and x = 1.

    Args:
        diffusion: D.
        reaction: k.

    Raises:
        InputError: no diffusion, or a reaction by which solutions may grow beyond all bounds before t = 1.
    """

    bounds = {"t": (0.0, 1.0), "x": (0.0, 1.0)}
    derivatives = frozenset({"t", "xx"})

    def __init__(self, diffusion: float = 0.01, reaction: float = 0.01):
        if not 1e-3 <= diffusion <= 1 or abs(reaction) > 0.5:
            raise InputError(
                "model.problem: expected diffusion of 0.001 to 1 and reaction of -0.5 to 0.5, got "
                f"{diffusion} and {reaction}; mend the recipe"
            )
        self.diffusion, self.reaction = diffusion, reaction

    def equation(self, s: Solution, source_BQ: Tensor) -> Tensor:
        """See the class."""
        return s.t - self.diffusion * s.xx - self.reaction * s.value**2 - source_BQ

    def solution(self, inputs: Functions, sizes: list[int], refined: bool = False) -> Tensor:
        """By `reaction_diffusion`, with 50 steps or more."""
        intervals, x = sizes[0] - 1, torch.linspace(0, 1, sizes[1], dtype=torch.float64)
        each = -(-50 // intervals) * (2 if refined else 1)
        nodes = 96 if refined else 64
        u_BTX = reaction_diffusion(inputs, self.diffusion, self.reaction, intervals * each, x, nodes)
        return u_BTX[:, ::each].flatten(1)

    def factor(self, y: Coordinates) -> Any:
        """t x (1 - x)"""
        return y.t * y.x * (1.0 - y.x)

    def on_conditions(self, unit_ND: Tensor) -> Tensor:
        """A third of the points each at t = 0, x = 0 and x = 1."""
        t, x = unit_ND.clone().unbind(1)
        third = len(t) // 3
        t[:third], x[third : 2 * third], x[2 * third :] = 0.0, 0.0, 1.0
        return torch.stack([t, x], 1)

    def lift(self, points_ND: Tensor, space: JetSpace) -> Tensor:
        """[C, N, 2]: t (1 - x) - layer(t, x), and its mirror image.

        A source that is not zero at x = 0 moves the solution at once but at the end, which is held: a layer of width
        sqrt(D t) grows out of the corner, and no smooth net can follow it. It is the heat equation's on the half line.
        """
        t, x = points_ND.unbind(1)
        near, far = corner_layer(t, x, self.diffusion), corner_layer(t, 1 - x, self.diffusion)
        one, zero = torch.ones_like(t), torch.zeros_like(t)
        left = {"": t * (1 - x), "t": 1 - x, "x": -t, "xx": zero}
        right = {"": t * x, "t": x, "x": t, "xx": zero}
        mirror = {"x": -one}
        return torch.stack(
            [
                torch.stack([left[name] - near[name], right[name] - mirror.get(name, one) * far[name]], 1)
                for name in space.names
            ]
        )


def corner_layer(t: Tensor, x: Tensor, diffusion: float) -> dict[str, Tensor]:
    """b with b_t = D b_xx on x > 0, b = t at x = 0, b = 0 at t = 0; b and its derivatives t, x, xx, each [N].

        b = t ((1 + 2 z^2) erfc z - 2 z exp(-z^2) / sqrt(pi)),  z = x / (2 sqrt(D t))

    Carslaw and Jaeger (1959), section 2.5.
    """
    width = 2 * (diffusion * t.clamp(min=1e-14)).sqrt()
    z = x / width
    tail, bell = torch.erfc(z), torch.exp(-(z**2)) / math.pi**0.5
    return {
        "": t * ((1 + 2 * z**2) * tail - 2 * z * bell),
        "t": tail,
        "x": -4 * t * (bell - z * tail) / width,
        "xx": tail / diffusion,
    }
