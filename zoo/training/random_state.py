"""Random states of torch, numpy and Python, as plain tensors and numbers that a safe checkpoint may hold."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor


def torch_state() -> list[Tensor]:
    """States of torch's generators: the CPU's, then one a CUDA device that is in use."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return [torch.get_rng_state(), *cuda]


def set_torch_state(states: list[Tensor]) -> None:
    """Put torch's generators back to what `torch_state` returned."""
    torch.set_rng_state(states[0].cpu())
    if len(states) > 1:
        torch.cuda.set_rng_state_all([state.cpu() for state in states[1:]])


def random_state() -> dict[str, Any]:
    """Everything drawn from by a run: torch (every device), numpy's global generator, Python's."""
    version, keys, gauss = random.getstate()
    _, state, position, has_gauss, cached = np.random.get_state()
    return {
        "torch": torch_state(),
        "python": [version, list(keys), gauss],
        "numpy": [torch.from_numpy(state.astype(np.int64)), int(position), int(has_gauss), float(cached)],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Put every generator back to what `random_state` returned."""
    set_torch_state(state["torch"])
    version, keys, gauss = state["python"]
    random.setstate((version, tuple(keys), gauss))
    numpy_state, position, has_gauss, cached = state["numpy"]
    np.random.set_state(("MT19937", numpy_state.numpy().astype(np.uint32), position, has_gauss, cached))


@contextmanager
def torch_state_kept() -> Iterator[None]:
    """Draw freely inside; torch's generators are as before afterwards, also after an error."""
    states = torch_state()
    try:
        yield
    finally:
        set_torch_state(states)
