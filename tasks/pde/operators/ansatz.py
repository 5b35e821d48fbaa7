"""A DeepONet with what is known of the solution built in.

Legend: B = functions, M = sensors, Q = points, D = coordinates, C = derivatives of a jet, F = features, N = B Q or Q.
"""

import torch
from torch import Tensor, nn

from tasks.pde.networks.deeponet import DeepONet
from tasks.pde.operators.problems import OperatorProblem
from tasks.pde.problem import Coordinates
from zoo.derivatives import Jet, JetSpace, jet_of
from zoo.errors import InputError


class OperatorAnsatz(nn.Module):
    """s = lift(u, y) + factor(y) sum_k b_k(u) t_k(y), with derivatives to y by the jets of the trunk alone.

    Args:
        net: sensors and points -> solution.
        problem: gives lift and factor.
        hard_conditions: use them; without them the net alone is the solution.

    Raises:
        InputError: a net for other points.
    """

    def __init__(self, net: DeepONet, problem: OperatorProblem, hard_conditions: bool):
        super().__init__()
        if net.coordinates != len(problem.coordinates):
            raise InputError(
                f"model.net.coordinates: expected {len(problem.coordinates)} for {type(problem).__name__}, got "
                f"{net.coordinates}; mend the recipe"
            )
        self.net, self.problem, self.hard_conditions = net, problem, hard_conditions

    def trunk_features(self, points: Tensor, space: JetSpace) -> Tensor:
        """What the trunk's head and its bias act on, the factor included: [C, Q, F + 1], or [C, B, Q, F + 1]."""
        y = jet_of(points.flatten(0, -2), space)
        one = y[..., 0:1] * 0.0 + 1.0
        features = torch.cat([self.net.trunk_features(y), one], -1) * self._factor(y)
        return features.coefficients_CNF.unflatten(1, points.shape[:-1])

    def trunk_terms(self, points: Tensor, space: JetSpace) -> Tensor:
        """factor t_k and its derivatives, [C, Q, P] or [C, B, Q, P]."""
        y = jet_of(points.flatten(0, -2), space)
        return (self.net.trunk(y) * self._factor(y)).coefficients_CNF.unflatten(1, points.shape[:-1])

    def branch_features(self, sensors_BM: Tensor) -> Tensor:
        """What the branch's head and its bias act on: [B, H + 1]."""
        features_BH = self.net.branch_features(sensors_BM)
        return torch.cat([features_BH, torch.ones_like(features_BH[:, :1])], 1)

    def lift(self, sensors_BM: Tensor, points: Tensor, space: JetSpace) -> Tensor | float:
        """The known part of the solution, [C, B, Q]; 0 where there is none."""
        lifts_CNJ = self.problem.lift(points.flatten(0, -2), space) if self.hard_conditions else None
        if lifts_CNJ is None:
            return 0.0
        return combined(sensors_BM[:, [0, -1]], lifts_CNJ.unflatten(1, points.shape[:-1]))

    def forward(self, sensors_BM: Tensor, points: Tensor, space: JetSpace | None = None) -> Tensor:
        """s and its derivatives [C, B, Q], in the order of `space.names`; the value alone without a space."""
        space = space or self.problem.values
        terms = self.trunk_terms(points, space)
        return combined(self.net.branch(sensors_BM), terms) + self.lift(sensors_BM, points, space)

    def _factor(self, y: Jet) -> Jet | float:
        if not self.hard_conditions:
            return 1.0
        return self.problem.factor(
            Coordinates(**{c: y[..., i : i + 1] for i, c in enumerate(self.problem.coordinates)})
        )


def combined(weights_BF: Tensor, features: Tensor) -> Tensor:
    """[C, B, Q]: weights times features, which are [C, Q, F] or of each function's own points [C, B, Q, F].

    >>> combined(torch.ones(2, 3), torch.ones(1, 4, 3)).shape, combined(torch.ones(2, 3), torch.ones(1, 2, 4, 3)).shape
    (torch.Size([1, 2, 4]), torch.Size([1, 2, 4]))
    """
    if features.dim() == 3:
        return weights_BF @ features.transpose(1, 2)
    return torch.einsum("bf,cbqf->cbq", weights_BF, features)
