"""Trainer defaults that a gradient-aware run needs; every one of them can be overridden in a recipe."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer

# What differs from Lightning's own defaults, and why.
DEFAULTS: dict[str, Any] = {
    "devices": 1,  # a recipe's figures hold for one device; more of them change the batch
    "logger": False,  # the record is written anyway; loggers are added by a recipe
    "enable_checkpointing": False,  # zoo.training.checkpoints.Checkpointer writes atomically and with random states
    "enable_progress_bar": False,  # zoo.training.progress.FitProgress
    "enable_model_summary": False,  # the report says the parameters
    "inference_mode": False,  # saliency in test and predict needs tensors that can require a gradient
    "num_sanity_val_steps": 0,  # data are checked by the data module, in one line
}


def fastest_precision() -> str:
    """bf16-mixed where the hardware multiplies bf16 natively (2 times and more on convolutions), else 32-true.

    Without native instructions a CPU emulates bf16 and is several times slower than in float32.
    """
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if cpu_flags() & {"avx512_bf16", "amx_bf16", "bf16"} else "32-true"


def cpu_flags() -> set[str]:
    """Instruction sets that the first CPU names, empty where the system does not say (macOS, Windows)."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return set()
    lines = info.read_text(errors="replace").splitlines()
    named = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return set(named.partition(":")[2].split())


def make_trainer(**options: Any) -> Trainer:
    """A Lightning Trainer with this project's defaults under `options`; precision "auto" is the fastest.

    >>> make_trainer(max_epochs=3, accelerator="cpu").max_epochs
    3
    """
    merged = {**DEFAULTS, **options}
    if merged.get("precision") == "auto":
        merged["precision"] = fastest_precision()
    return Trainer(**merged)
