"""Distributions over actions, light enough for a step of 50 microseconds (torch.distributions takes five times that).

Legend: N = samples, A = choices or action dimensions, G = discrete actions side by side.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

Distribution = "Categorical | MultiCategorical | DiagonalGaussian"


@dataclass(frozen=True)
class Categorical:
    """One of A choices; actions are int64 [N].

    >>> Categorical(torch.zeros(1, 2)).entropy().exp()
    tensor([2.])
    """

    logits_NA: Tensor

    def sample(self) -> Tensor:
        """One choice each, by Gumbel's maximum: argmax(logits + noise) ~ softmax(logits)."""
        exponential_NA = torch.empty_like(self.logits_NA).exponential_()
        return (self.logits_NA - exponential_NA.log_()).argmax(-1)

    def mode(self) -> Tensor:
        """The likeliest choice."""
        return self.logits_NA.argmax(-1)

    def log_prob(self, actions_N: Tensor) -> Tensor:
        """log pi(a), [N]."""
        return self.logits_NA.log_softmax(-1).gather(-1, actions_N[..., None])[..., 0]

    def entropy(self) -> Tensor:
        """-sum p log p, [N]."""
        log_probs_NA = self.logits_NA.log_softmax(-1)
        return -(log_probs_NA.exp() * log_probs_NA).sum(-1)

    def kl_from(self, other: "Categorical") -> Tensor:
        """KL(other || self), [N]: other is where the samples came from."""
        theirs_NA = other.logits_NA.log_softmax(-1)
        return (theirs_NA.exp() * (theirs_NA - self.logits_NA.log_softmax(-1))).sum(-1)

    def detach(self) -> "Categorical":
        """Without history."""
        return Categorical(self.logits_NA.detach())

    def __getitem__(self, chosen: Tensor) -> "Categorical":
        return Categorical(self.logits_NA[chosen])


@dataclass(frozen=True)
class MultiCategorical:
    """Several independent choices; actions are int64 [N, G], logits of all choices stand side by side."""

    logits_NA: Tensor
    sizes: tuple[int, ...]

    def _parts(self) -> list[Categorical]:
        return [Categorical(part) for part in self.logits_NA.split(self.sizes, -1)]

    def sample(self) -> Tensor:
        """One action each, [N, G]."""
        return torch.stack([part.sample() for part in self._parts()], -1)

    def mode(self) -> Tensor:
        """The likeliest action."""
        return torch.stack([part.mode() for part in self._parts()], -1)

    def log_prob(self, actions_NG: Tensor) -> Tensor:
        """log pi(a), [N]."""
        return sum(part.log_prob(a_N) for part, a_N in zip(self._parts(), actions_NG.unbind(-1), strict=True))

    def entropy(self) -> Tensor:
        """Sum of the choices' entropies, [N]."""
        return sum(part.entropy() for part in self._parts())

    def kl_from(self, other: "MultiCategorical") -> Tensor:
        """KL(other || self), [N]."""
        return sum(mine.kl_from(theirs) for mine, theirs in zip(self._parts(), other._parts(), strict=True))

    def detach(self) -> "MultiCategorical":
        """Without history."""
        return MultiCategorical(self.logits_NA.detach(), self.sizes)

    def __getitem__(self, chosen: Tensor) -> "MultiCategorical":
        return MultiCategorical(self.logits_NA[chosen], self.sizes)


@dataclass(frozen=True)
class DiagonalGaussian:
    """Independent normals; actions are [N, A] in units in which the environment's range is [-1, 1].

    >>> DiagonalGaussian(torch.zeros(1, 1), torch.zeros(1)).log_prob(torch.zeros(1, 1))
    tensor([-0.9189])
    """

    mean_NA: Tensor
    log_std_A: Tensor

    def sample(self) -> Tensor:
        """mean + std noise."""
        return self.mean_NA + self.log_std_A.exp() * torch.randn_like(self.mean_NA)

    def mode(self) -> Tensor:
        """The mean."""
        return self.mean_NA

    def log_prob(self, actions_NA: Tensor) -> Tensor:
        """log density, [N]; of the action before it is clipped to the range."""
        scaled_NA = (actions_NA - self.mean_NA) * (-self.log_std_A).exp()
        return -(0.5 * scaled_NA.square() + self.log_std_A + 0.5 * math.log(2 * math.pi)).sum(-1)

    def entropy(self) -> Tensor:
        """sum log std + A/2 log(2 pi e), [N]."""
        one = (self.log_std_A + 0.5 * math.log(2 * math.pi * math.e)).expand_as(self.mean_NA)
        return one.sum(-1)

    def kl_from(self, other: "DiagonalGaussian") -> Tensor:
        """KL(other || self), [N]."""
        variance_NA, theirs_NA = (2 * self.log_std_A).exp(), (2 * other.log_std_A).exp()
        gap_NA = (theirs_NA + (other.mean_NA - self.mean_NA).square()) / (2 * variance_NA)
        return (self.log_std_A - other.log_std_A + gap_NA - 0.5).sum(-1)

    def detach(self) -> "DiagonalGaussian":
        """A copy without history: numbers that are a net's parameters themselves go on changing."""
        return DiagonalGaussian(self.mean_NA.detach().clone(), self.log_std_A.detach().clone())

    def __getitem__(self, chosen: Tensor) -> "DiagonalGaussian":
        spread = self.log_std_A if self.log_std_A.ndim == 1 else self.log_std_A[chosen]
        return DiagonalGaussian(self.mean_NA[chosen], spread)
