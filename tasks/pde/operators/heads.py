"""Least squares put to the heads of a net while it trains."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.pde.operators.ansatz import OperatorAnsatz
from tasks.pde.operators.criteria import Batch, Criterion
from tasks.pde.operators.least_squares import balanced, least_squares_core
from zoo.errors import InputError


@dataclass(frozen=True)
class LeastSquaresHeads:
    """Sets both heads to their best values for the hidden layers as they are; the optimiser trains those alone.

    The gradient of the hidden layers at the best heads is that of the loss from which the heads are eliminated
    (variable projection: Golub and Pereyra 1973).

    Args:
        every: optimiser steps between two solutions; there is one before the first step and one after each epoch too.
        ridge: of the branch, relative to its features' largest singular value.
        cutoff: of the trunk's singular values.
        correct: instead of new heads find b + C b for the branch's terms b as they are, C the smallest that fits: what
            was learned from another task stays where a few data say nothing, and counts as much as it did there.

    Raises:
        InputError: a number out of its range.
    """

    every: int = 1
    ridge: float = 1e-9
    cutoff: float = 1e-11
    correct: bool = False

    def __post_init__(self):
        if self.every < 1 or self.ridge < 0 or not 0 <= self.cutoff < 1:
            raise InputError(
                "model.heads: expected every of 1 or more, ridge of 0 or more and cutoff of 0 to 1, got "
                f"{self.every}, {self.ridge} and {self.cutoff}; mend the recipe"
            )

    @torch.no_grad()
    def solve(self, net: OperatorAnsatz, criterion: Criterion, batch: Batch) -> None:
        """Set the heads."""
        if not net.hard_conditions and not criterion.needs_solutions:
            raise InputError("model.heads: expected hard_conditions with an equation, got soft ones; leave heads out")
        space = criterion.space(net.problem)
        branch_BH, trunk = net.branch_features(batch.sensors_BM), net.trunk_features(batch.points, space)
        start = net.lift(batch.sensors_BM, batch.points, space) + batch.source_BQ.new_zeros(
            len(space.names), *batch.source_BQ.shape
        )
        if self.correct:
            start = net(batch.sensors_BM, batch.points, space)
            branch_BH, trunk = net.net.branch(batch.sensors_BM), net.trunk_terms(batch.points, space)

        def residual(s_CBQ: Tensor) -> Tensor:
            return criterion.residual(net.problem, s_CBQ, batch)

        left, right = least_squares_core(residual, branch_BH, trunk, start, self.ridge, self.cutoff)
        if self.correct:
            head = net.net.branch_head
            head.weight.add_(right @ (left.t() @ head.weight))
            head.bias.add_(right @ (left.t() @ head.bias))
            return
        terms = net.net.branch_head.out_features
        left, right = balanced(left, right, branch_BH, trunk[0].flatten(0, -2), terms)
        _set(net.net.trunk_head, right.t())
        _set(net.net.branch_head, torch.cat([left.t(), left.new_zeros(terms - left.shape[1], len(left))]))


def _set(layer: nn.Linear, rows: Tensor) -> None:
    # Terms that least squares has no use for keep their trunk's head; a branch of zero silences them.
    layer.weight[: len(rows)].copy_(rows[:, :-1])
    layer.bias[: len(rows)].copy_(rows[:, -1])
