"""What a solution found by least squares would become, had its problem been another, and how well it is determined.

At the minimum J'r = 0. A change of the rows by dr moves the parameters by -(J'J + damping)^-1 J' dr and the solution by
j times that (implicit function theorem, Gauss-Newton's matrix), j its Jacobian at the places looked at.

Legend: R rows, P parameters, C changes, M places, D coordinates, K fields.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tasks.pde.residuals import observed_rows
from zoo.derivatives import Jet, residual_jacobian
from zoo.errors import InputError
from zoo.probes.laplace import predictive_variance, residual_variance

if TYPE_CHECKING:
    from tasks.pde.ansatz import Ansatz
    from tasks.pde.task import PhysicsInformed

DAMPING = 1e-9  # of the columns' lengths: parameters that nothing depends on need a pivot
MOST_PARAMETERS = 4000  # the Jacobian is held whole, and factored


@dataclass(frozen=True, eq=False)  # hashable, as nets are
class Changed:
    """The ansatz with constants given, or something added to its solution; stands in for it in rows."""

    net: "Ansatz"
    given: dict[str, Tensor]
    added: Callable[[Jet], Any] | None = None

    @property
    def problem(self) -> Any:
        """The ansatz's."""
        return self.net.problem

    def constants(self, points: int) -> dict[str, Any]:
        """With the given ones in their place."""
        return {**self.net.constants(points), **self.given}

    def __call__(self, x: Jet) -> Jet:
        return self.net(x) if self.added is None else self.net(x) + self.added(x)


@dataclass(frozen=True)
class Fit:
    """Rows of all terms at the minimum and their Jacobian, columns scaled to length one."""

    residuals_R: Tensor
    jacobian_RP: Tensor
    length_P: Tensor

    def response(self, slopes_RC: Tensor, jacobian_MP: Tensor) -> Tensor:
        """[M, C]: -j (J'J + damping)^-1 J' dr/dc, by QR of J with the damping beneath."""
        width = len(self.length_P)
        below_PP = DAMPING * torch.eye(width, dtype=self.jacobian_RP.dtype)
        q, r_PP = torch.linalg.qr(torch.cat([self.jacobian_RP, below_PP]))
        moved_PC = torch.linalg.solve_triangular(r_PP, q[: len(slopes_RC)].t() @ slopes_RC, upper=True)
        return -(jacobian_MP / self.length_P) @ moved_PC

    def deviation(self, jacobian_MP: Tensor) -> Tensor:
        """[M]: standard deviation of the solution, the rows taken as independent noise."""
        noise = residual_variance(self.residuals_R, len(self.length_P))
        return predictive_variance(jacobian_MP / self.length_P, self.jacobian_RP, noise, DAMPING).sqrt()


def fit_of(task: "PhysicsInformed", points: dict[str, Tensor]) -> Fit:
    """Rows and Jacobian of every term.

    Raises:
        InputError: more parameters than a factorisation can bear.
    """
    trained = _trained(task)
    count = sum(p.numel() for p in trained)
    if count > MOST_PARAMETERS:
        raise InputError(
            f"explain: expected at most {MOST_PARAMETERS} parameters, since their Jacobian is factored, got {count}; "
            "train a smaller net"
        )
    pairs = [residual_jacobian(rows, trained) for rows in task.residuals(task.net, points).values()]
    jacobian_RP = torch.cat([jacobian for _, jacobian in pairs])
    length_P = jacobian_RP.norm(dim=0).clamp(min=1e-300)
    length_P = torch.where(length_P > 1e-12 * length_P.max(), length_P, length_P.max())
    return Fit(torch.cat([rows.flatten() for rows, _ in pairs]), jacobian_RP / length_P, length_P)


def solution_jacobian(task: "PhysicsInformed", places_MD: Tensor) -> Tensor:
    """[M * K, P] of what is observed at places."""
    return residual_jacobian(lambda: observed_rows(task.net, places_MD), _trained(task))[1]


def constant_slopes(task: "PhysicsInformed", points: dict[str, Tensor], names: tuple[str, ...]) -> Tensor:
    """[R, C]: derivative of the rows to constants of the equation and conditions; built-in parts are held."""
    dtype = next(task.net.parameters()).dtype
    values = {name: torch.tensor(float(task.problem.constants[name]), dtype=dtype) for name in names}
    given = {name: value.requires_grad_() for name, value in values.items()}
    rows = torch.cat([one().flatten() for one in task.residuals(Changed(task.net, given), points).values()])
    return torch.stack([next(_forward_slopes(rows, value)) for value in given.values()], 1)


def initial_slopes(
    task: "PhysicsInformed", points: dict[str, Tensor], modes: list[Callable[[Jet], Any]]
) -> tuple[Tensor, bool]:
    """[R, C]: derivative of the rows to multiples of modes in the initial value; whether they are built in.

    A built-in initial value changes by the mode itself. A trained one changes what its rows compare the solution with.
    """
    soft = [n for n, c in task.conditions.items() if c.at.get("t") == task.problem.bounds["t"][0]]
    size_C = torch.zeros(len(modes), dtype=next(task.net.parameters()).dtype, requires_grad=True)

    def added(x: Jet) -> Any:
        return sum(mode(x) * size for mode, size in zip(modes, size_C * (-1.0 if soft else 1.0), strict=True))

    changed, own = (task.residuals(net, points) for net in (Changed(task.net, {}, added), task.net))
    rows = torch.cat([(changed if not soft or n in soft else own)[n]().flatten() for n in own])
    return torch.stack(list(_forward_slopes(rows, size_C)), 1), not soft


def _forward_slopes(rows_R: Tensor, values: Tensor) -> Iterator[Tensor]:
    # Forward mode by two backward passes: d/dv of v'(dr/dc).
    weights_R = torch.zeros_like(rows_R, requires_grad=True)
    found = torch.autograd.grad((rows_R * weights_R).sum(), values, create_graph=True,
                                allow_unused=True, materialize_grads=True)[0]  # fmt: skip
    for one in found.reshape(-1):
        if not one.requires_grad:  # no row depends on it
            yield torch.zeros_like(rows_R).detach()
            continue
        yield torch.autograd.grad(one, weights_R, retain_graph=True)[0].detach()


def _trained(task: "PhysicsInformed") -> list[Tensor]:
    return [p for p in task.net.parameters() if p.requires_grad]
