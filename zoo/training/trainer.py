"""Lightning's Trainer with the defaults that a gradient-aware run needs; a recipe can override each."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from lightning_fabric.connector import _PRECISION_INPUT
from pytorch_lightning.callbacks import Checkpoint, ProgressBar
from pytorch_lightning.profilers import PassThroughProfiler

from zoo.errors import InputError

# What differs from Lightning's own defaults, and why.
DEFAULTS: dict[str, Any] = {
    "devices": 1,  # a recipe's figures hold for one device; more of them change the batch
    "logger": False,  # the record is written anyway; loggers are added by a recipe
    "enable_checkpointing": False,  # zoo.training.checkpoints.Checkpointer writes atomically, with random states
    "enable_progress_bar": False,  # zoo.training.progress.FitProgress
    "enable_model_summary": False,  # `zoo fit` prints one line
    "inference_mode": False,  # saliency in test and predict needs tensors that can require a gradient
    "num_sanity_val_steps": 0,  # data are checked by the data module, in one line
}


class NoProfiler(PassThroughProfiler):
    """Measures nothing, and costs nothing: Lightning opens a generator for each of 30 measurements a step."""

    _nothing = nullcontext()

    def profile(self, action_name: str) -> nullcontext:
        """A context that does nothing."""
        return self._nothing


class Trainer(pl.Trainer):
    """`pytorch_lightning.Trainer` with `DEFAULTS`, and precision "auto", the fastest that the hardware has natively.

    Args:
        precision: as Lightning's, or "auto" (see `fastest_precision`).
        threads: CPU threads of torch; None leaves them. One is fastest for nets whose layers take microseconds: the
            second then spends more time waiting than working.
        kwargs: as Lightning's.

    >>> Trainer(max_epochs=3, accelerator="cpu").max_epochs
    3
    """

    def __init__(
        self, precision: _PRECISION_INPUT | Literal["auto"] = "32-true", threads: int | None = None, **kwargs: Any
    ):
        if threads is not None and threads < 1:
            raise InputError(f"trainer.threads: expected 1 or more, got {threads}; leave it out for torch's own choice")
        if threads is not None:
            torch.set_num_threads(threads)
        for name, value in DEFAULTS.items():
            kwargs.setdefault(name, value)
        given = kwargs.get("callbacks") or []
        for option, kind in (("enable_checkpointing", Checkpoint), ("enable_progress_bar", ProgressBar)):
            if any(isinstance(one, kind) for one in (given if isinstance(given, list) else [given])):
                kwargs[option] = True  # Lightning refuses such a callback otherwise
        if kwargs.get("profiler") is None:
            kwargs["profiler"] = NoProfiler()
        if not torch.cuda.is_available():
            # Lightning has torch look for a GPU through NVML, lest a fork meet an initialised one; torch's optimisers
            # look at every step, which then opens a library that is not there: 50 microseconds against 2.
            os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"
        super().__init__(precision=fastest_precision() if precision == "auto" else precision, **kwargs)


def fastest_precision() -> str:
    """bf16-mixed where the hardware multiplies bf16 natively (2 times and more on convolutions), else 32-true.

    Without native instructions a CPU emulates bf16 and is several times slower than in float32.
    """
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if cpu_flags() & {"avx512_bf16", "amx_bf16", "bf16"} else "32-true"


def cpu_flags() -> set[str]:
    """Instruction sets that the first CPU names; empty where the system does not say (macOS, Windows)."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return set()
    lines = info.read_text(errors="replace").splitlines()
    named = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return set(named.partition(":")[2].split())
