"""An actor and a critic that remember: one LSTM below both.

Legend: T = steps, B = environments, N = valid steps, D = observation features, H = hidden units.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.rl.distributions import Categorical, DiagonalGaussian, MultiCategorical
from tasks.rl.environments.spaces import Spaces
from tasks.rl.networks.actor_critic import distribution, mlp
from tasks.rl.normalise import RunningMoments


@dataclass(frozen=True)
class Sequences:
    """Observations in the order in which they were made, for nets whose answer depends on what came before.

    Attributes:
        obs_TBD: observations.
        valid_TB: False where an episode's last observation stands; memory is cleared behind it.
        memory_2BH: the net's memory before the first observation.
    """

    obs_TBD: Tensor
    valid_TB: Tensor
    memory_2BH: Tensor


class RecurrentActorCritic(nn.Module):
    """A linear layer with tanh, an LSTM (Hochreiter & Schmidhuber 1997), and a linear actor and critic upon it.

    `advance` takes one step for a net that acts; `policy_and_value` runs over `Sequences`, for one that learns, and
    answers for the valid steps, step by step in the order of the rollout.

    Args:
        spaces: of the environment.
        hidden_size: of the LSTM and the layer below it.
        normalise_observations: by the mean and variance of all that was seen.
        log_std: start of the Gaussian's log standard deviation, in units in which the action range is [-1, 1].
    """

    def __init__(
        self, spaces: Spaces, hidden_size: int = 64, normalise_observations: bool = False, log_std: float = 0.0
    ):
        super().__init__()
        self.sizes = tuple(spaces.action_sizes) if spaces.kind != "box" else ()
        self.moments = RunningMoments((spaces.observation_size,)) if normalise_observations else None
        self.below = nn.Sequential(mlp([spaces.observation_size, hidden_size], nn.Tanh, 2**0.5), nn.Tanh())
        self.memory = nn.LSTMCell(hidden_size, hidden_size)
        nn.init.orthogonal_(self.memory.weight_ih)
        nn.init.orthogonal_(self.memory.weight_hh)
        self.actor = mlp([hidden_size, spaces.action_size], nn.Tanh, 0.01)
        self.critic = mlp([hidden_size, 1], nn.Tanh)
        self.log_std = nn.Parameter(torch.full((spaces.action_size,), log_std)) if spaces.kind == "box" else None

    def empty_memory(self, count: int) -> Tensor:
        """What `count` environments are remembered of at the beginning: hidden and cell state, [2, B, H]."""
        return self.memory.weight_hh.new_zeros(2, count, self.memory.hidden_size)

    def advance(
        self, obs_BD: Tensor, memory_2BH: Tensor
    ) -> tuple[Categorical | MultiCategorical | DiagonalGaussian, Tensor]:
        """pi(. | all so far), and the memory of it."""
        hidden_BH, cell_BH = self.memory(self._lifted(obs_BD), tuple(memory_2BH))
        return self._policy(hidden_BH), torch.stack([hidden_BH, cell_BH])

    def policy_and_value(
        self, sequences: Sequences
    ) -> tuple[Categorical | MultiCategorical | DiagonalGaussian, Tensor]:
        """pi and V of the N valid steps."""
        hidden_NH = self.hidden(sequences)[sequences.valid_TB]
        return self._policy(hidden_NH), self.critic(hidden_NH)[..., 0]

    def policy(self, sequences: Sequences) -> Categorical | MultiCategorical | DiagonalGaussian:
        """pi of the N valid steps."""
        return self._policy(self.hidden(sequences)[sequences.valid_TB])

    def values(self, sequences: Sequences) -> Tensor:
        """V of every observation, an episode's last one included, [T, B]."""
        return self.critic(self.hidden(sequences))[..., 0]

    def hidden(self, sequences: Sequences) -> Tensor:
        """The LSTM's output at every observation, [T, B, H]."""
        lifted_TBH = self._lifted(sequences.obs_TBD)
        hidden_BH, cell_BH = sequences.memory_2BH
        outputs = []
        for lifted_BH, valid_B in zip(lifted_TBH, sequences.valid_TB, strict=True):
            hidden_BH, cell_BH = self.memory(lifted_BH, (hidden_BH, cell_BH))
            outputs.append(hidden_BH)
            kept_B1 = valid_B[:, None]
            hidden_BH, cell_BH = hidden_BH * kept_B1, cell_BH * kept_B1
        return torch.stack(outputs)

    def update_statistics(self, sequences: Sequences) -> None:
        """Take up observations in their mean and variance."""
        if self.moments is not None:
            self.moments.update(sequences.obs_TBD[sequences.valid_TB])

    def _lifted(self, obs_BD: Tensor) -> Tensor:
        return self.below(obs_BD if self.moments is None else self.moments(obs_BD))

    def _policy(self, hidden_NH: Tensor) -> Categorical | MultiCategorical | DiagonalGaussian:
        return distribution(self.actor(hidden_NH), self.sizes, self.log_std)
