"""Normalised advantage function (Gu, Lillicrap, Sutskever and Levine 2016): Q-values whose best action is known.

Legend: N = samples, D = observation features, A = action dimensions.
"""

import torch
from torch import Tensor, nn

from tasks.rl.environments.spaces import Spaces
from tasks.rl.networks.actor_critic import mlp
from tasks.rl.normalise import RunningMoments
from tasks.rl.q_losses import quadratic_advantage
from tasks.rl.rollout import Rollout
from zoo.errors import InputError


class NAF(nn.Module):
    """Q(s, a) = V(s) - 1/2 (a - mu(s))' L(s) L(s)' (a - mu(s)); L lower triangular with exp on its diagonal.

    Args:
        spaces: of the environment; actions are a box, [-1, 1] here.
        hidden_sizes: of the layers that V, mu and L share.
        activation: between layers.
        normalise_observations: by the mean and variance of all that was seen.

    Raises:
        InputError: actions that are not a box, or frames for observations.
    """

    def __init__(
        self,
        spaces: Spaces,
        hidden_sizes: list[int] = [128, 128],  # noqa: B006  jsonargparse reads it; nothing writes to it
        activation: type[nn.Module] = nn.ReLU,
        normalise_observations: bool = False,
    ):
        super().__init__()
        if spaces.kind != "box" or spaces.is_image:
            raise InputError(
                f"model.net: expected a box of actions and flat observations for NAF, got {spaces.action} and "
                f"{spaces.observation.shape}; take DQN for discrete actions"
            )
        size = self.size = spaces.action_size
        self.moments = RunningMoments((spaces.observation_size,)) if normalise_observations else None
        self.layers = mlp([spaces.observation_size, *hidden_sizes, 1 + size + size * (size + 1) // 2], activation, 0.1)
        row, column = torch.tril_indices(size, size, -1)
        place = torch.zeros(size, size, dtype=torch.int64)  # of each entry of L behind its diagonal's; above it any
        place[row, column] = torch.arange(size, size * (size + 1) // 2)
        place.diagonal().copy_(torch.arange(size))
        self.register_buffer("place", place.flatten(), persistent=False)
        self.register_buffer("lower", torch.ones(size, size).tril(), persistent=False)

    def numbers(self, obs_ND: Tensor) -> Tensor:
        """V, mu before its tanh, the logarithm of L's diagonal, and what is below it."""
        return self.layers(obs_ND if self.moments is None else self.moments(obs_ND))

    def parts(self, obs_ND: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """V [N], mu [N, A] and L [N, A, A]."""
        size = self.size
        value, best, diagonal, below = self.numbers(obs_ND).split([1, size, size, size * (size - 1) // 2], 1)
        entries = torch.cat([diagonal.exp(), below], 1).index_select(1, self.place)
        return value[:, 0], best.tanh(), entries.view(-1, size, size) * self.lower

    def forward(self, obs_ND: Tensor, actions_NA: Tensor) -> Tensor:
        """Q(s, a), [N]."""
        value_N, best_NA, factor_NAA = self.parts(obs_ND)
        return value_N + quadratic_advantage(actions_NA, best_NA, factor_NAA)

    def value(self, obs_ND: Tensor) -> Tensor:
        """V(s) = max_a Q(s, a), [N]."""
        return self.numbers(obs_ND)[:, 0]

    def best(self, obs_ND: Tensor) -> Tensor:
        """mu(s) = argmax_a Q(s, a), [N, A]."""
        return self.numbers(obs_ND)[:, 1 : 1 + self.size].tanh()

    def observe(self, rollout: Rollout) -> None:
        """Take up observations in their mean and variance."""
        if self.moments is not None:
            self.moments.update(rollout.obs_TB[:-1][rollout.valid_TB])
