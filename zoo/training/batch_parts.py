"""The floating tensors of a batch, whatever it is made of: tuples, lists, mappings, dataclasses."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor


def floating_parts(batch: Any, name: str = "") -> dict[str, Tensor]:
    """Their places ("0", "features", "points.equation", ...) and themselves.

    >>> import torch
    >>> list(floating_parts((torch.ones(1), {"a": torch.ones(1)}, torch.tensor(1))))
    ['0', '1.a']
    """
    if isinstance(batch, Tensor):
        return {name or "batch": batch} if batch.is_floating_point() else {}
    found: dict[str, Tensor] = {}
    for key, part in _members(batch):
        found |= floating_parts(part, f"{name}.{key}" if name else key)
    return found


def with_parts(batch: Any, parts: dict[str, Tensor], name: str = "") -> Any:
    """The same batch with other tensors at these places.

    >>> import torch
    >>> with_parts((torch.ones(1), 2), {"0": torch.zeros(1)})
    (tensor([0.]), 2)
    """
    if isinstance(batch, Tensor):
        return parts.get(name or "batch", batch)
    made = {key: with_parts(part, parts, f"{name}.{key}" if name else key) for key, part in _members(batch)}
    return _remade(batch, made) if made else batch


def _members(batch: Any) -> list[tuple[str, Any]]:
    if isinstance(batch, dict):
        return [(str(key), part) for key, part in batch.items()]
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return list(zip(batch._fields, batch, strict=True))
    if isinstance(batch, (tuple, list)):
        return [(str(i), part) for i, part in enumerate(batch)]
    if is_dataclass(batch):
        return [(one.name, getattr(batch, one.name)) for one in fields(batch) if one.init]
    return []


def _remade(batch: Any, made: dict[str, Any]) -> Any:
    if isinstance(batch, dict):
        return dict(zip(batch, made.values(), strict=True))
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*made.values())
    if is_dataclass(batch):
        return replace(batch, **made)
    make: Callable = type(batch)
    return make(made.values())
