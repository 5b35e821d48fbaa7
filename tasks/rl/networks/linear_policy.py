"""Deterministic policies, small enough to be searched in the space of their parameters.

Legend: K = policies side by side, P = parameters of one, D = observation features, A = numbers for one action.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from tasks.rl.distributions import Categorical, DiagonalGaussian, MultiCategorical
from tasks.rl.environments.spaces import Spaces
from tasks.rl.networks.actor_critic import distribution


class LinearPolicy(nn.Module):
    """A normal distribution over the parameters of a linear policy, or of one with tanh layers between.

    `policy(obs)` is the policy at the mean; `act(weights, obs)` lets K policies act, each on its own observation.

    Args:
        spaces: of the environment.
        hidden_sizes: of tanh layers; none is a linear policy.
        bias: add one to every layer.
        std: of every parameter at the start.

    >>> import gymnasium
    >>> net = LinearPolicy(Spaces(gymnasium.spaces.Box(-1, 1, (3,)), gymnasium.spaces.Discrete(2)), bias=True)
    >>> net.mean_P.shape
    torch.Size([8])
    """

    def __init__(
        self,
        spaces: Spaces,
        hidden_sizes: list[int] = [],  # noqa: B006  jsonargparse reads it; nothing writes to it
        bias: bool = False,
        std: float = 1.0,
    ):
        super().__init__()
        self.kind, self.sizes = spaces.kind, tuple(spaces.action_sizes) if spaces.kind != "box" else ()
        self.layers = list(pairwise([spaces.observation_size, *hidden_sizes, spaces.action_size]))
        self.bias = bias
        size = sum((fan_in + bias) * fan_out for fan_in, fan_out in self.layers)
        self.mean_P = nn.Parameter(torch.zeros(size))
        self.log_std_P = nn.Parameter(torch.full((size,), std).log())
        # A box's actions are the means themselves: no spread around them.
        spread_A = torch.full((spaces.action_size,), -torch.inf) if spaces.kind == "box" else None
        self.register_buffer("spread_A", spread_A, persistent=False)

    def explored(self) -> DiagonalGaussian:
        """The distribution over parameters, one row [1, P]."""
        return DiagonalGaussian(self.mean_P[None], self.log_std_P)

    def weights(self, parameters_KP: Tensor) -> list[tuple[Tensor, Tensor | None]]:
        """(weight [K, in, out], bias [K, 1, out]) of every layer."""
        found, start = [], 0
        for fan_in, fan_out in self.layers:
            end = start + fan_in * fan_out
            weight, offset = parameters_KP[:, start:end].unflatten(1, (fan_in, fan_out)), None
            if self.bias:
                offset = parameters_KP[:, None, end : end + fan_out]
            found.append((weight, offset))
            start = end + self.bias * fan_out
        return found

    def outputs(self, weights: list[tuple[Tensor, Tensor | None]], obs_KND: Tensor) -> Tensor:
        """Logits or means [K, N, A] of N observations each."""
        hidden = obs_KND
        for i, (weight, offset) in enumerate(weights):
            hidden = hidden.tanh() if i else hidden
            hidden = torch.bmm(hidden, weight) if offset is None else torch.baddbmm(offset, hidden, weight)
        return hidden

    def policy(self, obs_ND: Tensor) -> Categorical | MultiCategorical | DiagonalGaussian:
        """The policy at the mean; its mode is what it does."""
        return distribution(self.outputs(self.weights(self.mean_P[None]), obs_ND[None])[0], self.sizes, self.spread_A)

    def act(self, weights: list[tuple[Tensor, Tensor | None]], obs_KD: Tensor) -> Tensor:
        """What K policies do, each on its own observation."""
        return distribution(self.outputs(weights, obs_KD[:, None])[:, 0], self.sizes, self.spread_A).mode()
