"""Prioritised replay: transitions drawn in proportion to the error that they had last.

Legend: N = transitions drawn or weighed together.
"""

from dataclasses import dataclass

import numpy as np
import torch

from tasks.rl.replay.sum_tree import SumTree
from zoo.errors import InputError


@dataclass(frozen=True)
class Prioritised:
    """Proportional prioritisation (Schaul et al. 2016): P(i) ~ (|error_i| + epsilon)^alpha.

    Importance weights (count P(i))^-beta are divided by the largest of those drawn together; beta rises to 1.

    Args:
        alpha: near 0 is uniform.
        beta: at the start.
        epsilon: keeps transitions without an error in play.
        anneal_steps: environment steps until beta is 1.
    """

    alpha: float = 0.6
    beta: float = 0.4
    epsilon: float = 1e-6
    anneal_steps: int = 100_000

    def __post_init__(self):
        if self.alpha <= 0 or not 0 <= self.beta <= 1 or min(self.epsilon, self.anneal_steps) <= 0:
            raise InputError(
                f"replay.priorities: expected alpha, epsilon and anneal_steps above 0 and 0 <= beta <= 1, got {self}; "
                "leave priorities out for uniform sampling"
            )


class Priorities:
    """The priorities of a memory with `size` places, zero where nothing can be drawn.

    Args:
        settings: see `Prioritised`.
        size: places.
    """

    def __init__(self, settings: Prioritised, size: int):
        self.settings, self.tree = settings, SumTree(size)
        self.largest = 1.0  # of a new transition, so that each is drawn soon

    def begin(self, new: np.ndarray, gone: np.ndarray) -> None:
        """Give new transitions the largest priority, and places without one none."""
        self.tree.set(gone, 0.0)
        self.tree.set(new, self.largest)

    def draw(self, count: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Places [N] and importance weights [N] at an environment step."""
        parts_N = (np.arange(count) + torch.rand(count, dtype=torch.float64).numpy()) / count  # one of each equal part
        # Shuffled: one draw is split into several minibatches, each of which is to span the memory.
        index_N = self.tree.find(parts_N[torch.randperm(count).numpy()] * self.tree.total)
        progress = min(step / self.settings.anneal_steps, 1.0)
        beta = self.settings.beta + (1 - self.settings.beta) * progress
        weights_N = self.tree.weights[index_N] ** -beta  # count and total cancel
        return index_N, (weights_N / weights_N.max()).astype(np.float32)

    def reweigh(self, index_N: np.ndarray, errors_N: np.ndarray) -> None:
        """New priorities from the errors that an update found."""
        weights_N = (np.abs(errors_N) + self.settings.epsilon) ** self.settings.alpha
        self.largest = max(self.largest, float(weights_N.max()))
        self.tree.set(index_N, weights_N)

    def state_dict(self) -> dict:
        """Every priority."""
        return {"weights": torch.from_numpy(self.tree.weights), "largest": self.largest}

    def load_state_dict(self, state: dict) -> None:
        """Take up what `state_dict` returned."""
        self.largest = state["largest"]
        self.tree.set(np.arange(len(state["weights"])), state["weights"].numpy())
