"""What a DeepONet is trained on: solutions, an equation, or a few solutions of another problem than it was trained for.

Legend: B = functions, M = sensors, Q = points, D = coordinates, C = derivatives, U = functions without a solution.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from tasks.pde.operators.ansatz import OperatorAnsatz
from tasks.pde.operators.losses import conditional_discrepancy, relative_l2
from tasks.pde.operators.problems import OperatorProblem, Solution
from zoo.derivatives import JetSpace
from zoo.errors import InputError


class Batch(NamedTuple):
    """Functions, where they are looked at, and what is known there.

    Args:
        sensors_BM: the input functions at the sensors.
        source_BQ: at the points' x.
        points: [Q, D] shared by all functions, or [B, Q, D].
        solution_BQ: None where nobody solved.
        others_UM: further input functions, for transfer.
    """

    sensors_BM: Tensor
    source_BQ: Tensor
    points: Tensor
    solution_BQ: Tensor | None = None
    others_UM: Tensor | None = None


class Criterion(ABC):
    """Loss terms of a batch, and where they are a sum of squares, the residual of single points."""

    needs_solutions = True
    needs_others = False

    @abstractmethod
    def terms(self, net: OperatorAnsatz, batch: Batch) -> dict[str, Tensor]:
        """Named scalars whose sum is minimised."""

    def space(self, problem: OperatorProblem) -> JetSpace:
        """The derivatives that `residual` needs."""
        return problem.values

    def residual(self, problem: OperatorProblem, s_CBQ: Tensor, batch: Batch) -> Tensor:
        """[B, Q], each entry of its own function and point alone; for least squares."""
        raise InputError(
            f"model.heads: expected none with {type(self).__name__}, which is no sum of squares; leave it out"
        )


class Data(Criterion):
    """Mean squared distance to solutions."""

    def terms(self, net: OperatorAnsatz, batch: Batch) -> dict[str, Tensor]:
        """See the class."""
        s_CBQ = net(batch.sensors_BM, batch.points)
        return {"data": self.residual(net.problem, s_CBQ, batch).square().mean()}

    def residual(self, problem: OperatorProblem, s_CBQ: Tensor, batch: Batch) -> Tensor:
        """s - solution."""
        return s_CBQ[0] - batch.solution_BQ


class Physics(Criterion):
    """Mean squared residual of the equation: no solutions are needed. Wang, Wang and Perdikaris (2021).

    Args:
        condition_weight: of the mean squared value where the solution is to be zero, unless that is built in.
        condition_points: how many such points.
    """

    needs_solutions = False

    def __init__(self, condition_weight: float = 1.0, condition_points: int = 120):
        if condition_weight <= 0 or condition_points < 3:
            raise InputError(
                "model.criterion: expected condition_weight above 0 and condition_points of 3 or more, got "
                f"{condition_weight} and {condition_points}; mend the recipe"
            )
        self.condition_weight, self.condition_points = condition_weight, condition_points

    def terms(self, net: OperatorAnsatz, batch: Batch) -> dict[str, Tensor]:
        """The equation, and the conditions where they are not built in."""
        s_CBQ = net(batch.sensors_BM, batch.points, net.problem.space)
        terms = {"equation": self.residual(net.problem, s_CBQ, batch).square().mean()}
        if not net.hard_conditions:
            engine = torch.quasirandom.SobolEngine(len(net.problem.coordinates))
            unit = engine.draw(self.condition_points + 1, dtype=torch.float64)[1:].to(s_CBQ)
            zero = net(batch.sensors_BM, net.problem.on_conditions(unit))
            terms["conditions"] = self.condition_weight * zero.square().mean()
        return terms

    def space(self, problem: OperatorProblem) -> JetSpace:
        """Those of the equation."""
        return problem.space

    def residual(self, problem: OperatorProblem, s_CBQ: Tensor, batch: Batch) -> Tensor:
        """Of the equation."""
        return problem.equation(Solution(problem.space, s_CBQ), batch.source_BQ)


class Transfer(Criterion):
    """Relative l2 on a few solutions, and the conditional discrepancy between them and what the net says of others.

    Goswami, Kontolati, Shields and Karniadakis (2022). The discrepancy compares P(solution | features) of the solved
    functions with P(answer | features) of further ones, features being those of the branch's hidden layers. Departures:
    kernel widths are median distances (authors: 1 / 0.4), and gradients pass through the answers too (authors: not).

    Args:
        discrepancy_weight: 10 in the paper's code.
        damping: of the conditional embedding, see `conditional_discrepancy`.
    """

    needs_others = True

    def __init__(self, discrepancy_weight: float = 10.0, damping: float = 1.0):
        if discrepancy_weight < 0 or damping <= 0:
            raise InputError(
                "model.criterion: expected discrepancy_weight of 0 or more and damping above 0, got "
                f"{discrepancy_weight} and {damping}; mend the recipe"
            )
        self.discrepancy_weight, self.damping = discrepancy_weight, damping

    def terms(self, net: OperatorAnsatz, batch: Batch) -> dict[str, Tensor]:
        """See the class."""
        found_BQ = net(batch.sensors_BM, batch.points)[0]
        terms = {"relative_l2": relative_l2(found_BQ, batch.solution_BQ).mean()}
        if batch.others_UM is not None and self.discrepancy_weight:
            discrepancy = conditional_discrepancy(
                net.branch_features(batch.sensors_BM),
                batch.solution_BQ,
                net.branch_features(batch.others_UM),
                net(batch.others_UM, batch.points)[0],
                self.damping,
            )
            terms["discrepancy"] = self.discrepancy_weight * discrepancy
        return terms
