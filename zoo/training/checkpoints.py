"""Checkpoints: written atomically, read with weights_only=True, refused in one line when they are not ours."""

import os
import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from zoo.atomic import reraise_interrupt
from zoo.errors import InputError
from zoo.training.random_state import random_state, set_random_state


def save_atomically(content: dict[str, Any], path: str | Path) -> None:
    """Write tensors and plain values beside `path` and rename it: a reader sees the old file or the new one, whole.

    Raises:
        InputError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        reraise_interrupt(error)
        raise InputError(
            f"checkpoint: expected to write {path}, got {error}; free disk space or mend the folder's permissions"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def read_checkpoint(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint; nothing in the file is executed.

    Raises:
        InputError: the file is missing, truncated, or not a checkpoint of this project.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"checkpoint: expected a file, got {path}, which does not exist; `zoo list` shows recipes")
    try:
        checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # a damaged file makes torch raise a dozen kinds, OSError and IndexError among them
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise InputError(
            f"checkpoint: expected a whole checkpoint of this project, got {path} ({reason}); "
            "take another one, such as best.ckpt beside it"
        ) from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint or "global_step" not in checkpoint:
        raise InputError(
            f"checkpoint: expected state_dict and global_step in the file, got something else in {path}; "
            "take a file that `zoo fit` wrote"
        )
    return checkpoint


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's reading and writing of checkpoints, by `save_atomically` and `read_checkpoint`."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str, storage_options: Any = None) -> None:
        """Write atomically."""
        save_atomically(checkpoint, path)

    def load_checkpoint(self, path: str, map_location: Any = "cpu", weights_only: bool | None = None) -> dict[str, Any]:
        """Read safely, whatever `weights_only` says."""
        return read_checkpoint(path, map_location)


class Checkpointer(Checkpoint):
    """Writes `last.ckpt` at the end of every epoch and, if asked, every few steps; `best.ckpt` by a metric.

    A checkpoint holds the random state of every rank, so that a resumed run draws what the run never stopped would.

    Args:
        folder: where the files go.
        monitor: metric that decides which is best; None keeps no best.
        mode: whether a lower ("min") or a higher ("max") metric is better.
        every_n_steps: also write `last.ckpt` each time so many optimiser steps have passed.
        config: the run's resolved configuration, kept in the file so that it can be moved alone.
    """

    def __init__(
        self,
        folder: str | Path,
        monitor: str | None = None,
        mode: str = "min",
        every_n_steps: int | None = None,
        config: str = "",
    ):
        self.folder, self.monitor, self.mode = Path(folder), monitor, mode
        self.every_n_steps, self.config = every_n_steps, config
        self.best_value: float | None = None
        self._saved_step, self._saves_best = 0, False
        self.seconds_spent = 0.0
        self._before = {"seconds": 0.0, "cpu_seconds": 0.0}  # by the parts of the run before this process
        self._started = self._clocks()

    @staticmethod
    def _clocks() -> dict[str, float]:
        return {"seconds": time.perf_counter(), "cpu_seconds": time.process_time()}

    def spent(self) -> dict[str, float]:
        """Wall and CPU seconds of the fit, over all its resumptions."""
        return {name: now - self._started[name] + self._before[name] for name, now in self._clocks().items()}

    @property
    def last(self) -> Path:
        """Where the newest state is."""
        return self.folder / "last.ckpt"

    @property
    def best(self) -> Path:
        """Where the state with the best metric is."""
        return self.folder / "best.ckpt"

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Save within an epoch when so many steps have passed."""
        if self.every_n_steps and trainer.global_step - self._saved_step >= self.every_n_steps:
            self._save(trainer, self.last)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the end of the epoch, and the best one so far."""
        if trainer.global_step == 0:
            return
        value = trainer.callback_metrics.get(self.monitor) if self.monitor else None
        if value is not None and self._better(float(value)):
            self.best_value = float(value)
            self._save(trainer, self.best)
        self._save(trainer, self.last)

    def _better(self, value: float) -> bool:
        if self.best_value is None:
            return True
        return value < self.best_value if self.mode == "min" else value > self.best_value

    def _save(self, trainer: Trainer, path: Path) -> None:
        started = time.perf_counter()
        self._saved_step, self._saves_best = trainer.global_step, path == self.best
        trainer.save_checkpoint(path)
        self.seconds_spent += time.perf_counter() - started

    def state_dict(self) -> dict[str, Any]:
        """What decides later savings."""
        return {"best_value": self.best_value, "saved_step": self._saved_step, "spent": self.spent()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""
        self.best_value, self._saved_step = state["best_value"], state["saved_step"]
        self._before = state.get("spent", self._before)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the configuration and the random state of every rank."""
        states = [random_state()]
        if trainer.world_size > 1:
            states = [None] * trainer.world_size
            torch.distributed.all_gather_object(states, random_state())
        checkpoint["random_states"] = states
        checkpoint["is_best"] = self._saves_best  # a task may leave out what only going on needs
        checkpoint["config"] = self.config

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Put this rank's random state back, before the loaders draw their first order from it."""
        if trainer.state.fn != "fit":
            return
        states = checkpoint.get("random_states", [])
        if len(states) != trainer.world_size:
            raise InputError(
                f"resume: expected a checkpoint of {trainer.world_size} processes, got one of {len(states)}; "
                "resume with the number of devices the run was started with"
            )
        set_random_state(states[trainer.global_rank])
