"""What a net sees and does: the spaces of an environment, and the way from a net's actions to the environment's.

Legend: N = samples, A = action dimensions.
"""

from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor

from zoo.errors import InputError

Kind = Literal["discrete", "multi_discrete", "box"]
KINDS: dict[type[Space], Kind] = {
    spaces.Discrete: "discrete",
    spaces.MultiDiscrete: "multi_discrete",
    spaces.Box: "box",
}


# What a net for flat observations says of frames.
PREPROCESS = "for an Atari game set model.environment.preprocessing to atari too"


@dataclass(frozen=True)
class Spaces:
    """Observation and action space of one environment (not of the vector).

    Raises:
        InputError: an observation that is not a box, an action that is neither discrete, multi-discrete nor a
            bounded box.

    >>> Spaces(spaces.Box(-1, 1, (4,)), spaces.Discrete(2)).action_sizes
    [2]
    """

    observation: spaces.Box
    action: Space

    def __post_init__(self):
        if not isinstance(self.observation, spaces.Box):
            raise InputError(
                f"environment: expected observations in a Box, got {type(self.observation).__name__}; "
                "add a wrapper of gymnasium that makes one of it"
            )
        if type(self.action) not in KINDS:
            raise InputError(
                "environment: expected actions Discrete, MultiDiscrete or Box, "
                f"got {type(self.action).__name__}; add a wrapper of gymnasium"
            )
        if self.kind == "multi_discrete" and self.action.nvec.ndim != 1:
            raise InputError(
                f"environment: expected a flat MultiDiscrete action, got shape {self.action.shape}; flatten it"
            )
        if self.kind == "box" and not self.action.is_bounded():
            raise InputError(f"environment: expected a bounded action Box, got {self.action}; rescale or clip actions")

    @property
    def kind(self) -> Kind:
        """Kind of action."""
        return KINDS[type(self.action)]

    @property
    def is_image(self) -> bool:
        """Whether observations are uint8 frames [C, H, W]."""
        return self.observation.dtype == np.uint8 and len(self.observation.shape) == 3

    @property
    def observation_size(self) -> int:
        """Numbers in one observation."""
        return prod(self.observation.shape)

    @property
    def action_sizes(self) -> list[int]:
        """Choices of each discrete action."""
        return self.action.nvec.tolist() if self.kind == "multi_discrete" else [int(self.action.n)]

    @property
    def action_size(self) -> int:
        """Numbers that a net must give for one action: logits, or means."""
        return prod(self.action.shape) if self.kind == "box" else sum(self.action_sizes)

    @property
    def action_shape(self) -> tuple[int, ...]:
        """Shape of one action of a net: () for a discrete one, else [A]."""
        return () if self.kind == "discrete" else (prod(self.action.shape),)

    @property
    def action_dtype(self) -> torch.dtype:
        """Type in which actions are kept."""
        return torch.get_default_dtype() if self.kind == "box" else torch.int64

    def tensor(self, observations: np.ndarray) -> Tensor:
        """Observations as a net takes them: frames in uint8 as they are, else floats [N, D]."""
        tensor = torch.from_numpy(observations)
        return tensor if self.is_image else tensor.to(torch.get_default_dtype()).reshape(len(tensor), -1)

    def to_env(self, actions: Tensor) -> np.ndarray:
        """Actions [N, ...] of a net as the environment takes them; a box's [-1, 1] becomes [low, high], clipped."""
        if self.kind == "discrete":
            return actions.numpy() + self.action.start
        if self.kind == "multi_discrete":
            return actions.numpy() + self.action.start
        box = self.action
        unit = actions.clamp(-1, 1).numpy().reshape(-1, *box.shape)
        return (box.low + (unit + 1) / 2 * (box.high - box.low)).astype(box.dtype)
