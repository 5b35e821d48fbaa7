"""Q-networks for discrete actions, flat observations or frames, with dueling, distributional and noisy heads.

Legend: N = samples, A = actions, Z = atoms of a return distribution, F = features.
"""

from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tasks.rl.environments.spaces import PREPROCESS, Spaces
from tasks.rl.networks.nature_cnn import NatureCNN
from tasks.rl.normalise import RunningMoments
from tasks.rl.rollout import Rollout
from zoo.errors import InputError


class NoisyLinear(nn.Module):
    """(W + sigma_W eps_W) x + b + sigma_b eps_b with factorised Gaussian noise (Fortunato et al. 2018).

    Noise is drawn anew at each forward in training mode, one for the batch, and is zero in evaluation mode.

    Args:
        in_features: of the input.
        out_features: of the output.
        sigma: start of sigma is this over sqrt(in_features).
    """

    def __init__(self, in_features: int, out_features: int, sigma: float = 0.5):
        super().__init__()
        bound = 1 / sqrt(in_features)
        self.weight = nn.Parameter(torch.empty(out_features, in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_features).uniform_(-bound, bound))
        self.weight_sigma = nn.Parameter(torch.full((out_features, in_features), sigma * bound))
        self.bias_sigma = nn.Parameter(torch.full((out_features,), sigma * bound))

    def forward(self, x: Tensor) -> Tensor:
        """The noisy layer of x."""
        if not self.training:
            return F.linear(x, self.weight, self.bias)
        into, out = (rooted(torch.randn(n, device=x.device, dtype=x.dtype)) for n in self.weight.shape[::-1])
        weight = torch.addcmul(self.weight, self.weight_sigma, torch.outer(out, into))
        return F.linear(x, weight, torch.addcmul(self.bias, self.bias_sigma, out))


def rooted(x: Tensor) -> Tensor:
    """sign(x) sqrt(|x|)."""
    return x.sign() * x.abs().sqrt()


class Head(nn.Module):
    """A hidden layer of ReLU and a linear one, which computes in the precision of its weights.

    Under autocast the trunk works in bf16, whose 8 bits would be too few for values that differ little.

    Args:
        linear: kind of layer.
        sizes: into, between and out.
    """

    def __init__(self, linear: type[nn.Module], sizes: list[int]):
        super().__init__()
        self.hidden, self.out = linear(*sizes[:2]), linear(*sizes[1:])

    def forward(self, features_NF: Tensor) -> Tensor:
        """[N, out]."""
        hidden = self.hidden(features_NF).relu()
        if hidden.dtype == self.out.weight.dtype:
            return self.out(hidden)
        with torch.autocast(hidden.device.type, enabled=False):
            return self.out(hidden.to(self.out.weight.dtype))


class QNetwork(nn.Module):
    """Q(obs, .) [N, A].

    Args:
        spaces: of the environment.
        hidden_sizes: layers of ReLU; behind the convolutions of Mnih et al. (2015) where observations are frames.
        dueling: Q = V + A - mean A, with a hidden layer for each (Wang et al. 2016).
        atoms: 0 for plain values; else the return's distribution on so many atoms (Bellemare et al. 2017: 51).
        low: of the support.
        high: of the support.
        noisy: noisy layers explore in place of random actions.
        normalise_observations: by the mean and variance of all that was seen; frames have a known range.

    Raises:
        InputError: an action that is not discrete, or options that contradict each other.
    """

    def __init__(
        self,
        spaces: Spaces,
        hidden_sizes: list[int] = [128, 128],  # noqa: B006  jsonargparse reads it; nothing writes to it
        dueling: bool = False,
        atoms: int = 0,
        low: float = -10.0,
        high: float = 10.0,
        noisy: bool = False,
        normalise_observations: bool = False,
    ):
        super().__init__()
        refuse_unfit(spaces, hidden_sizes, atoms, low, high, normalise_observations)
        self.actions, self.atoms, self.dueling, self.noisy = spaces.action_sizes[0], atoms, dueling, noisy
        self.moments = RunningMoments((spaces.observation_size,)) if normalise_observations else None
        linear = NoisyLinear if noisy else nn.Linear
        *trunk, last = hidden_sizes
        if spaces.is_image:
            self.trunk: nn.Module = NatureCNN(spaces.observation.shape, last).convolutions
            with torch.no_grad():
                size = self.trunk(torch.zeros(1, *spaces.observation.shape)).shape[1]
            self.scale = 1 / 255
        else:
            self.trunk, size, self.scale = nn.Identity(), spaces.observation_size, 1.0
        self.hidden = relu_layers([size, *trunk], nn.Linear)
        width = trunk[-1] if trunk else size
        numbers = max(atoms, 1)
        self.advantage = Head(linear, [width, last, self.actions * numbers])
        self.value = Head(linear, [width, last, numbers]) if dueling else None
        self.register_buffer("support", torch.linspace(low, high, atoms) if atoms else torch.zeros(0))

    def features(self, obs: Tensor) -> Tensor:
        """What the heads see, [N, F]."""
        if self.scale != 1:
            return self.hidden(self.trunk(obs.to(self.support.dtype) * self.scale))
        return self.hidden(obs if self.moments is None else self.moments(obs))

    def numbers(self, obs: Tensor) -> Tensor:
        """Values [N, A], or logits [N, A, Z]."""
        features_NF = self.features(obs)
        out = self.advantage(features_NF)
        out = out.view(-1, self.actions, self.atoms) if self.atoms else out
        if self.value is None:
            return out
        value = self.value(features_NF)
        return (value[:, None] if self.atoms else value) + out - out.mean(1, keepdim=True)

    def log_probs(self, obs: Tensor) -> Tensor:
        """log of the probabilities of each action's return, [N, A, Z]."""
        return self.numbers(obs).log_softmax(2)

    def forward(self, obs: Tensor) -> Tensor:
        """Q(obs, .), [N, A]."""
        return self.log_probs(obs).exp() @ self.support if self.atoms else self.numbers(obs)

    def observe(self, rollout: Rollout) -> None:
        """Take up observations in their mean and variance."""
        if self.moments is not None:
            self.moments.update(rollout.obs_TB[:-1][rollout.valid_TB])


def relu_layers(sizes: list[int], linear: type[nn.Module]) -> nn.Sequential:
    """Linear layers with ReLU after each."""
    return nn.Sequential(*(layer for pair in pairwise(sizes) for layer in (linear(*pair), nn.ReLU())))


def refuse_unfit(spaces: Spaces, hidden_sizes: list[int], atoms: int, low: float, high: float, normalise: bool) -> None:
    """Raise where a Q-network cannot be, or an option would do nothing."""
    if spaces.kind != "discrete":
        raise InputError(f"model.net: expected discrete actions for Q-values, got {spaces.action}; take NAF for a box")
    if not hidden_sizes or min(hidden_sizes) < 1:
        raise InputError(f"model.net.hidden_sizes: expected one or more sizes, got {hidden_sizes}; mend the recipe")
    if atoms == 1 or atoms < 0 or (atoms and low >= high):
        raise InputError(
            f"model.net: expected 0 atoms, or 2 and more from low to high, got {atoms} from {low} to {high}; mend it"
        )
    if normalise and spaces.is_image:
        raise InputError(
            f"model.net.normalise_observations: expected false for frames, got true; leave it out; {PREPROCESS}"
        )
