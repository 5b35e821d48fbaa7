"""DeepONet: a net of functions and points.

Legend: B = functions, M = sensors, Q = points, D = coordinates, P = terms, H / F = features of branch / trunk.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import InputError


class DeepONet(nn.Module):
    """G(u)(y) = sum_k b_k(u) t_k(y), b the branch's terms of the sensors u, t the trunk's of the point y.

    Lu, Jin, Pang, Zhang and Karniadakis (2021). Both nets end in a linear head, so that G is bilinear in the heads for
    given hidden layers; these start as random features spread over their inputs (after Fabiani et al. 2025), whose
    heads least squares can find at once.

    Args:
        sensors: M, where a function is known.
        coordinates: D of a point, each in [0, 1].
        terms: P.
        branch_sizes, trunk_sizes: width of every hidden layer.
        activation: a smooth one where derivatives to the points are needed.
        linear_branch: give the branch's head the sensors themselves too; a linear operator then needs no hidden layer.
        branch_scale: standard deviation of a hidden feature's slope along an input of unit mean square.
        trunk_scale: standard deviation of a hidden feature's slope along a coordinate.

    Raises:
        InputError: nothing for a head to act on.

    >>> net = DeepONet(100, 2)
    >>> net(torch.zeros(5, 100), torch.zeros(7, 2)).shape, net(torch.zeros(5, 100), torch.zeros(5, 3, 2)).shape
    (torch.Size([5, 7]), torch.Size([5, 3]))
    """

    def __init__(
        self,
        sensors: int = 100,
        coordinates: int = 1,
        terms: int = 40,
        branch_sizes: list[int] = (300,),
        trunk_sizes: list[int] = (200,),
        activation: type[nn.Module] = nn.Tanh,
        linear_branch: bool = True,
        branch_scale: float = 0.1,
        trunk_scale: float = 2.0,
    ):
        super().__init__()
        if not trunk_sizes or not (branch_sizes or linear_branch):
            raise InputError(
                "model.net: expected hidden layers in the trunk, and in the branch where linear_branch is false, got "
                f"trunk_sizes {list(trunk_sizes)}, branch_sizes {list(branch_sizes)}; give one a width"
            )
        self.sensors, self.coordinates, self.linear_branch = sensors, coordinates, linear_branch
        self.branch_body = _hidden(sensors, branch_sizes, activation)
        self.trunk_body = _hidden(coordinates, trunk_sizes, activation)
        inputs = sensors if linear_branch else 0
        self.branch_head = nn.Linear(inputs + (branch_sizes[-1] if branch_sizes else 0), terms)
        self.trunk_head = nn.Linear(trunk_sizes[-1], terms)
        self._spread(branch_scale, trunk_scale)

    @torch.no_grad()
    def _spread(self, branch_scale: float, trunk_scale: float) -> None:
        if len(self.branch_body):
            first = self.branch_body[0]
            nn.init.normal_(first.weight, std=branch_scale / self.sensors**0.5)
            nn.init.normal_(first.bias)
        first = self.trunk_body[0]
        nn.init.normal_(first.weight, std=trunk_scale)
        centres_FD = torch.rand_like(first.weight)  # where a feature bends
        first.bias.copy_(-(first.weight * centres_FD).sum(1))

    def branch_features(self, sensors_BM: Tensor) -> Tensor:
        """What the branch's head acts on, [B, H]."""
        if not self.linear_branch:
            return self.branch_body(sensors_BM)
        parts = [sensors_BM, self.branch_body(sensors_BM)] if len(self.branch_body) else [sensors_BM]
        return torch.cat(parts, 1)

    def trunk_features(self, points: Any) -> Any:
        """What the trunk's head acts on, [N, F]; a jet for a jet."""
        return self.trunk_body(points)

    def branch(self, sensors_BM: Tensor) -> Tensor:
        """b, [B, P]."""
        return self.branch_head(self.branch_features(sensors_BM))

    def trunk(self, points: Any) -> Any:
        """t, [N, P]; a jet for a jet."""
        return self.trunk_head(self.trunk_features(points))

    def forward(self, sensors_BM: Tensor, points: Tensor) -> Tensor:
        """G(u) [B, Q] at points [Q, D] shared by all functions, or [B, Q, D] of each function's own."""
        b_BP, t = self.branch(sensors_BM), self.trunk(points)
        return b_BP @ t.t() if points.dim() == 2 else torch.einsum("bp,bqp->bq", b_BP, t)


def _hidden(inputs: int, sizes: list[int], activation: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise([inputs, *sizes]):
        layer = nn.Linear(fan_in, fan_out)
        nn.init.xavier_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
        layers += [layer, activation()]
    return nn.Sequential(*layers)
