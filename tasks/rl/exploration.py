"""How an agent that knows its best action tries others.

Legend: B = environments, A = action dimensions.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tasks.rl.environments.spaces import Spaces
from zoo.errors import InputError


class Exploration(Protocol):
    """Best actions in, tried actions out; draws from torch's global generator."""

    def kinds(self) -> tuple[str, ...]:
        """Kinds of actions that it serves."""

    def tried(self, best_B: Tensor, spaces: Spaces, step: int, ended_B: np.ndarray) -> Tensor:
        """Actions to try at environment step `step`; `ended_B` tells where an episode has just ended."""


def linear_decay(start: float, end: float, steps: int, step: int) -> float:
    """From start to end over `steps`, end afterwards.

    >>> [linear_decay(1.0, 0.5, 10, step) for step in (0, 5, 20)]
    [1.0, 0.75, 0.5]
    """
    return start + (end - start) * min(step / steps, 1.0)


def refuse_schedule(name: str, start: float, end: float, steps: int) -> None:
    """Raise unless start >= end >= 0 and steps >= 1."""
    if not start >= end >= 0 or steps < 1:
        raise InputError(
            f"model.exploration: expected {name} with start >= end >= 0 over 1 step or more, got {start}, {end} "
            f"and {steps}; mend the recipe"
        )


@dataclass(frozen=True)
class EpsilonGreedy:
    """A random action with probability epsilon, which falls linearly.

    Args:
        start: epsilon at first.
        end: epsilon after `steps`.
        steps: environment steps.
    """

    start: float = 1.0
    end: float = 0.05
    steps: int = 10_000

    def __post_init__(self):
        refuse_schedule("epsilon", self.start, self.end, self.steps)

    def kinds(self) -> tuple[str, ...]:
        """Kinds of actions that it serves."""
        return ("discrete",)

    def tried(self, best_B: Tensor, spaces: Spaces, step: int, ended_B: np.ndarray) -> Tensor:
        """Best or random ones."""
        epsilon = linear_decay(self.start, self.end, self.steps, step)
        return torch.where(torch.rand(len(best_B)) < epsilon, random_actions(spaces, len(best_B)), best_B)


@dataclass(frozen=True)
class GaussianNoise:
    """Independent noise, in units in which the action range is [-1, 1]; its deviation falls linearly.

    Args:
        start: standard deviation at first.
        end: standard deviation after `steps`.
        steps: environment steps.
    """

    start: float = 0.5
    end: float = 0.1
    steps: int = 10_000

    def __post_init__(self):
        refuse_schedule("a standard deviation", self.start, self.end, self.steps)

    def kinds(self) -> tuple[str, ...]:
        """Kinds of actions that it serves."""
        return ("box",)

    def tried(self, best_B: Tensor, spaces: Spaces, step: int, ended_B: np.ndarray) -> Tensor:
        """Best ones with noise, inside [-1, 1]."""
        deviation = linear_decay(self.start, self.end, self.steps, step)
        return (best_B + deviation * torch.randn_like(best_B)).clamp(-1, 1)


class OrnsteinUhlenbeck(nn.Module):
    """x <- x - theta x + sigma n: noise that lasts, with standard deviation sigma / sqrt(theta (2 - theta)).

    x is zero before the first step of every episode. Its present value is part of every checkpoint.

    Args:
        theta: how fast it forgets.
        sigma: of the normal increments, in units in which the action range is [-1, 1].
    """

    def __init__(self, theta: float = 0.15, sigma: float = 0.2):
        super().__init__()
        if not 0 < theta <= 1 or sigma < 0:
            raise InputError(
                f"model.exploration: expected 0 < theta <= 1 and sigma >= 0, got {theta} and {sigma}; mend the recipe"
            )
        self.theta, self.sigma = theta, sigma
        self.noise: Tensor | None = None  # [B, A]

    def kinds(self) -> tuple[str, ...]:
        """Kinds of actions that it serves."""
        return ("box",)

    def tried(self, best_B: Tensor, spaces: Spaces, step: int, ended_B: np.ndarray) -> Tensor:
        """Best ones with noise, inside [-1, 1]."""
        before = torch.zeros_like(best_B) if self.noise is None else self.noise
        moved = (1 - self.theta) * before + self.sigma * torch.randn_like(best_B)
        # Where an episode has ended the environment resets and ignores the action: no step for the noise either.
        self.noise = moved.masked_fill(torch.from_numpy(ended_B)[:, None], 0.0)
        return (best_B + self.noise).clamp(-1, 1)

    def get_extra_state(self) -> Tensor | None:
        """The noise."""
        return self.noise

    def set_extra_state(self, state: Tensor | None) -> None:
        """Take up the noise."""
        self.noise = state


def random_actions(spaces: Spaces, count: int) -> Tensor:
    """Uniform actions of a discrete space or a box, in a net's units."""
    if spaces.kind == "box":
        return torch.rand(count, *spaces.action_shape) * 2 - 1
    return torch.randint(spaces.action_sizes[0], (count,))
