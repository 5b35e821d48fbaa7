"""NaN and infinity end a run where they first appear, and what they appeared in is kept.

Legend: T = steps, B = environments.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from zoo.errors import InputError
from zoo.training.checkpoints import save_atomically
from zoo.training.task import TaskModule


class NonFiniteBatch(InputError):
    """A number that is not finite, and the tensors among which it is."""

    def __init__(self, message: str, batch: dict[str, Tensor]):
        super().__init__(message)
        self.batch = batch


def refuse_nonfinite(batch: dict[str, Tensor], environment: str, first_step: int) -> None:
    """Stop at the earliest NaN or infinity of a rollout; within a step, the name that comes first is the cause.

    Args:
        batch: name -> [T, B, ...].
        environment: its id.
        first_step: steps of each environment before the rollout.

    Raises:
        NonFiniteBatch: with the environment's place in the vector and the step.
    """
    places = {name: _first(values) for name, values in batch.items() if not _finite(values)}
    if not places:
        return
    name = min(places, key=lambda one: places[one][0])
    step, row = places[name]
    raise NonFiniteBatch(
        f"environment {environment}: expected finite {name}, got NaN or infinity in environment {row} at its step "
        f"{first_step + step}; mend {CAUSES[name]}",
        batch,
    )


def refuse_nonfinite_gradient(task: TaskModule, environment: str, step: int, batch: dict[str, Any]) -> None:
    """Stop at once where the newest gradient is not finite: the monitor would say the step and the layer some batches
    later, when the batch is gone.

    Args:
        task: its monitor read the gradient.
        environment: its id.
        step: environment steps so far.
        batch: what was learned from; its tensors are kept.

    Raises:
        NonFiniteBatch: with the layers, the environment and the step.
    """
    if not task.monitor.options.stop_on_nonfinite or task.monitor.newest_is_finite:
        return
    try:
        task.flush_readings()
    except InputError as error:
        tensors = {name: value for name, value in batch.items() if isinstance(value, Tensor)}
        raise NonFiniteBatch(f"{error} (environment {environment}, step {step})", tensors) from error


def refuse_nonfinite_values(name: str, values: np.ndarray, environment: str, step: int) -> None:
    """Stop where numbers [B, ...] of one moment are not finite.

    Raises:
        InputError: with the place of the first in the vector and the step.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(1))[0])
        raise InputError(
            f"environment {environment}: expected finite {name}s, got NaN or infinity in environment {row} at "
            f"environment step {step}; mend the environment, its wrappers or the policy"
        )


CAUSES = {
    "actions": "the policy: lower the learning rate, or clip the gradient (model.clipping)",
    "rewards": "the environment or its wrappers",
    "observations": "the environment or its wrappers",
}


def _finite(values: Tensor) -> bool:
    return not values.is_floating_point() or bool(values.isfinite().all())


def _first(values_TB: Tensor) -> tuple[int, int]:
    bad_TB = ~values_TB.isfinite().flatten(2).all(-1) if values_TB.ndim > 2 else ~values_TB.isfinite()
    step, row = bad_TB.nonzero()[0].tolist()
    return step, row


@contextmanager
def dumping(folder: Path | None) -> Iterator[None]:
    """Write the batch of a NonFiniteBatch to `nonfinite_batch.pt` in the run's folder, and say where it is.

    Raises:
        InputError: the error of the block, with the file's path.
    """
    try:
        yield
    except NonFiniteBatch as error:
        if folder is None:
            raise
        path = folder / "nonfinite_batch.pt"
        save_atomically({name: value.cpu() for name, value in error.batch.items()}, path)
        raise InputError(f"{error}; the batch is in {path}") from error


def run_folder_of(task: Any) -> Path | None:
    """Where a task's record is written; None while that is in memory."""
    path = task.monitor.record.path
    return None if path == ":memory:" else Path(path).parent
