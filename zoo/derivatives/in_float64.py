"""Arithmetic in float64 whatever a function was written for: `x.float()`, float32 data and `dtype=torch.float32`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

LOWER = frozenset({torch.float32, torch.float16, torch.bfloat16})
CASTS = frozenset({Tensor.float, Tensor.half, Tensor.bfloat16})


class InFloat64(TorchFunctionMode):
    """Every torch function inside gets its floating arguments, and every dtype it is asked for, as float64."""

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Call it with raised arguments."""
        if func in CASTS:
            return args[0].double()
        if getattr(func, "__name__", "") in ("__get__", "__set__", "__setitem__"):
            return func(*args, **(kwargs or {}))  # attributes and writes act on the tensor itself, not on a copy
        kwargs = {key: _raised(value) for key, value in (kwargs or {}).items()}
        return func(*map(_raised, args), **kwargs)


@contextmanager
def in_float64() -> Iterator[None]:
    """Inside, all of torch's arithmetic on one thread is float64, and so is what is made without a dtype.

    >>> with in_float64():
    ...     (torch.ones(1, dtype=torch.float32).float() / 3).dtype
    torch.float64
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with InFloat64():
            yield
    finally:
        torch.set_default_dtype(before)


def _raised(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.double() if value.dtype in LOWER else value
    if isinstance(value, torch.dtype):
        return torch.float64 if value in LOWER else value
    if isinstance(value, (list, tuple)) and any(isinstance(one, Tensor) for one in value):
        return type(value)(map(_raised, value)) if type(value) in (list, tuple) else value
    return value
