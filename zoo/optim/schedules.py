"""The one schedule that torch has only as a chain of several: linear warm-up, then decay to a fraction."""

import math
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from zoo.errors import InputError

SETTINGS = ("total_steps", "warmup_steps", "final_fraction", "shape")


class WarmupDecay(LRScheduler):
    """rate(t) = base * (t + 1) / (w + 1) for t < w, then down from base to base * final_fraction by `shape`.

    Args:
        optimizer: whose learning rates are scaled.
        total_steps: optimiser steps of the run; a task fills it in when it is left out.
        warmup_fraction: share of the steps that warm up (w = that share of total_steps).
        final_fraction: of the base rate, reached after the last step.
        shape: "cosine" or "linear".

    Raises:
        InputError: a number out of its range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int | None = None,
        warmup_fraction: float = 0.1,
        final_fraction: float = 0.0,
        shape: Literal["cosine", "linear"] = "cosine",
    ):
        if total_steps is None or total_steps < 1:
            raise InputError(f"WarmupDecay.total_steps: expected 1 or more, got {total_steps}; give the run's steps")
        if not 0 <= warmup_fraction <= 1 or final_fraction < 0:
            raise InputError(
                "WarmupDecay: expected warmup_fraction in [0, 1] and final_fraction >= 0, "
                f"got {warmup_fraction} and {final_fraction}; mend the recipe"
            )
        self.total_steps, self.final_fraction, self.shape = total_steps, final_fraction, shape
        self.warmup_steps = round(warmup_fraction * total_steps)
        super().__init__(optimizer)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the position; a run that goes on for longer keeps the settings of its new length.

        Without this it would train on at the old end's rate, which is 0 by default.
        """
        super().load_state_dict({key: value for key, value in state_dict.items() if key not in SETTINGS})

    def get_lr(self) -> list[float]:
        """Learning rate of every group at the present step."""
        return [base * self.factor(self.last_epoch) for base in self.base_lrs]

    def factor(self, step: int) -> float:
        """What the base rate is multiplied by at `step`."""
        if step < self.warmup_steps:
            return (step + 1) / (self.warmup_steps + 1)
        done = min(1.0, (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps))
        left = (1 + math.cos(math.pi * done)) / 2 if self.shape == "cosine" else 1 - done
        return self.final_fraction + (1 - self.final_fraction) * left
