"""A learned model of an environment, and a NAF beside one.

Legend: N = samples, D = observation features, A = action dimensions.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from tasks.rl.environments.spaces import Spaces
from tasks.rl.networks.actor_critic import mlp
from tasks.rl.networks.naf import NAF
from tasks.rl.normalise import RunningMoments
from tasks.rl.replay.transitions import Transitions
from tasks.rl.rollout import Rollout


class Dynamics(nn.Module):
    """(s, a) -> next s, reward, discount (gamma, or 0 where the episode terminates).

    Observations and what is predicted are scaled by their running moments, so that every feature weighs alike.

    Args:
        spaces: of the environment; actions are a box, [-1, 1] here.
        hidden_sizes: layers of SiLU.
    """

    def __init__(self, spaces: Spaces, hidden_sizes: list[int] = [128, 128]):  # noqa: B006
        super().__init__()
        size = spaces.observation_size
        self.seen, self.changes = RunningMoments((size,)), RunningMoments((size + 1,))
        self.layers = mlp([size + spaces.action_size, *hidden_sizes, size + 2], nn.SiLU)
        nn.init.constant_(self.layers[-1].bias[-1:], 4.6)  # a discount of 0.99 at first

    def scaled(self, obs_ND: Tensor, actions_NA: Tensor) -> Tensor:
        """Scaled changes and reward, then the discount's logit, [N, D + 2]."""
        return self.layers(torch.cat([self.seen(obs_ND), actions_NA], 1))

    def forward(self, obs_ND: Tensor, actions_NA: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Next observations [N, D], rewards [N], discounts [N]."""
        out = self.scaled(obs_ND, actions_NA)
        changes = out[:, :-1] / self.changes.scale + self.changes.shift
        return obs_ND + changes[:, :-1], changes[:, -1], out[:, -1].sigmoid()

    def losses(self, real: Transitions) -> Tensor:
        """Half the squared scaled error plus the cross-entropy of the discount, [N]."""
        out = self.scaled(real.obs_N, real.actions_N)
        changes = torch.cat([real.next_obs_N - real.obs_N, real.rewards_N[:, None]], 1)
        errors = out[:, :-1] - self.changes(changes)
        return 0.5 * errors.square().sum(1) + binary_cross_entropy_with_logits(
            out[:, -1], real.discount_N, reduction="none"
        )

    def observe(self, rollout: Rollout) -> None:
        """Take up transitions in the moments."""
        valid_TB = rollout.valid_TB
        obs_ND, rewards_N = rollout.obs_TB[:-1][valid_TB], rollout.rewards_TB[valid_TB]
        self.seen.update(obs_ND)
        self.changes.update(torch.cat([rollout.obs_TB[1:][valid_TB] - obs_ND, rewards_N[:, None]], 1))


class NAFWithModel(nn.Module):
    """A NAF, and the model in which it imagines.

    Args:
        spaces: of the environment.
        hidden_sizes: of the NAF.
        model_hidden_sizes: of the model.
        normalise_observations: of the NAF.
    """

    def __init__(
        self,
        spaces: Spaces,
        hidden_sizes: list[int] = [128, 128],  # noqa: B006
        model_hidden_sizes: list[int] = [128, 128],  # noqa: B006
        normalise_observations: bool = False,
    ):
        super().__init__()
        self.naf = NAF(spaces, hidden_sizes, normalise_observations=normalise_observations)
        self.model = Dynamics(spaces, model_hidden_sizes)

    def observe(self, rollout: Rollout) -> None:
        """Take up transitions in the moments."""
        self.naf.observe(rollout)
        self.model.observe(rollout)
