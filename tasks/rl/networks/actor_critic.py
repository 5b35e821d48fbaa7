"""An actor and a critic beside each other, for flat observations or frames.

Legend: N = samples, D = observation features, A = numbers that describe a distribution over actions.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from tasks.rl.distributions import Categorical, DiagonalGaussian, MultiCategorical
from tasks.rl.environments.spaces import PREPROCESS, Spaces
from tasks.rl.networks.nature_cnn import NatureCNN
from tasks.rl.normalise import RunningMoments
from zoo.errors import InputError


def mlp(sizes: list[int], activation: type[nn.Module], last_gain: float = 1.0) -> nn.Sequential:
    """Linear layers with an activation between them, weights orthogonal with gain sqrt(2), biases zero.

    Andrychowicz et al. (2021) found the last layer's gain (0.01 for a policy) to matter most of all initialisations.
    """
    layers: list[nn.Module] = []
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        linear, last = nn.Linear(fan_in, fan_out), i == len(sizes) - 2
        nn.init.orthogonal_(linear.weight, last_gain if last else 2**0.5)
        nn.init.zeros_(linear.bias)
        layers += [linear] if last else [linear, activation()]
    return nn.Sequential(*layers)


class ActorCritic(nn.Module):
    """`policy(obs)` gives a distribution over actions, `value(obs)` the expected return; nothing is shared.

    Args:
        spaces: of the environment.
        hidden_sizes: of actor and critic alike.
        activation: between layers.
        normalise_observations: by the mean and variance of all that was seen.
        log_std: start of the Gaussian's log standard deviation, in units in which the action range is [-1, 1].

    Raises:
        InputError: observations are frames.
    """

    def __init__(
        self,
        spaces: Spaces,
        hidden_sizes: list[int] = [64, 64],  # noqa: B006  jsonargparse reads it; nothing writes to it
        activation: type[nn.Module] = nn.Tanh,
        normalise_observations: bool = False,
        log_std: float = 0.0,
    ):
        super().__init__()
        if spaces.is_image:
            raise InputError(
                f"model.net: expected flat observations, got frames {list(spaces.observation.shape)}; "
                f"take tasks.rl.networks.ImageActorCritic; {PREPROCESS}"
            )
        self.kind, self.sizes = spaces.kind, tuple(spaces.action_sizes) if spaces.kind != "box" else ()
        self.moments = RunningMoments((spaces.observation_size,)) if normalise_observations else None
        sizes = [spaces.observation_size, *hidden_sizes]
        self.actor = mlp([*sizes, spaces.action_size], activation, 0.01)
        self.critic = mlp([*sizes, 1], activation)
        self.log_std = nn.Parameter(torch.full((spaces.action_size,), log_std)) if self.kind == "box" else None

    def seen(self, obs_ND: Tensor) -> Tensor:
        """Observations as the layers get them."""
        return obs_ND if self.moments is None else self.moments(obs_ND)

    def policy(self, obs_ND: Tensor) -> Categorical | MultiCategorical | DiagonalGaussian:
        """pi(. | obs)."""
        return distribution(self.actor(self.seen(obs_ND)), self.sizes, self.log_std)

    def value(self, obs_ND: Tensor) -> Tensor:
        """V(obs), [N]."""
        return self.critic(self.seen(obs_ND))[..., 0]

    def policy_and_value(self, obs_ND: Tensor) -> tuple[Categorical | MultiCategorical | DiagonalGaussian, Tensor]:
        """Both, in one pass where they share layers."""
        return self.policy(obs_ND), self.value(obs_ND)

    def actor_parameters(self) -> list[nn.Parameter]:
        """Parameters of the policy."""
        return [*self.actor.parameters(), *([self.log_std] if self.log_std is not None else [])]

    def update_statistics(self, obs_ND: Tensor) -> None:
        """Take up observations in their mean and variance."""
        if self.moments is not None:
            self.moments.update(obs_ND)


class ImageActorCritic(nn.Module):
    """Actor and critic as two linear heads on one convolutional trunk (Mnih et al. 2015), frames uint8 [N, C, H, W].

    Args:
        spaces: of the environment.
        features: of the trunk.
    """

    def __init__(self, spaces: Spaces, features: int = 512):
        super().__init__()
        self.sizes = tuple(spaces.action_sizes) if spaces.kind != "box" else ()
        self.trunk = NatureCNN(spaces.observation.shape, features)
        self.actor = mlp([features, spaces.action_size], nn.ReLU, 0.01)
        self.critic = mlp([features, 1], nn.ReLU)
        self.log_std = nn.Parameter(torch.zeros(spaces.action_size)) if spaces.kind == "box" else None

    def policy(self, obs_NCHW: Tensor) -> Categorical | MultiCategorical | DiagonalGaussian:
        """pi(. | obs)."""
        return distribution(self.actor(self.trunk(obs_NCHW)), self.sizes, self.log_std)

    def value(self, obs_NCHW: Tensor) -> Tensor:
        """V(obs), [N]."""
        return self.critic(self.trunk(obs_NCHW))[..., 0]

    def policy_and_value(self, obs_NCHW: Tensor) -> tuple[Categorical | MultiCategorical | DiagonalGaussian, Tensor]:
        """Both, the trunk once."""
        features_NF = self.trunk(obs_NCHW)
        policy = distribution(self.actor(features_NF), self.sizes, self.log_std)
        return policy, self.critic(features_NF)[..., 0]

    def update_statistics(self, obs_NCHW: Tensor) -> None:
        """Frames have a known range."""


def distribution(
    numbers_NA: Tensor, sizes: tuple[int, ...], log_std_A: Tensor | None
) -> Categorical | MultiCategorical | DiagonalGaussian:
    """The distribution that a net's last layer describes: logits, or means beside a log standard deviation."""
    if log_std_A is not None:
        return DiagonalGaussian(numbers_NA, log_std_A)
    return Categorical(numbers_NA) if len(sizes) == 1 else MultiCategorical(numbers_NA, sizes)
