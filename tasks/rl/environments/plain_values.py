"""Values as a safe checkpoint may hold them (tensors, numbers, strings, lists, dictionaries), and exactly back."""

from typing import Any

import numpy as np
import torch


class NotPlain(TypeError):
    """A value that has no plain form."""


def plain(value: Any) -> Any:
    """Numbers, strings, arrays, bytes and numpy's generators, in tuples, lists and dictionaries, as plain values.

    Raises:
        NotPlain: anything else.

    >>> revived(plain((1, np.arange(2, dtype=np.uint16))))
    (1, array([0, 1], dtype=uint16))
    """
    if isinstance(value, np.generic):
        return {"scalar": plain(np.asarray(value))}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return {"bytes": _bytes(value)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        raw = _bytes(np.ascontiguousarray(value).tobytes())  # bytes: torch lacks some of numpy's types
        return {"array": raw, "dtype": value.dtype.str, "shape": list(value.shape)}
    if isinstance(value, np.random.Generator):
        return {"generator": plain(value.bit_generator.state)}
    if type(value) in (tuple, list):
        return {type(value).__name__: [plain(one) for one in value]}
    if type(value) is dict:
        return {"dict": [[plain(key), plain(one)] for key, one in value.items()]}
    raise NotPlain(type(value).__name__)


def revived(value: Any) -> Any:
    """The value that `plain` was given."""
    if not isinstance(value, dict):
        return value
    kind = next(iter(value))
    content = value[kind]
    if kind == "scalar":
        return revived(content)[()]
    if kind == "bytes":
        return content.numpy().tobytes()
    if kind == "array":
        return np.frombuffer(content.numpy().tobytes(), value["dtype"]).reshape(value["shape"]).copy()
    if kind == "generator":
        return _generator(revived(content))
    if kind == "dict":
        return {revived(key): revived(one) for key, one in content}
    return {"tuple": tuple, "list": list}[kind](revived(one) for one in content)


def _bytes(value: bytes) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(value, np.uint8).copy())


def _generator(state: dict[str, Any]) -> np.random.Generator:
    bits = getattr(np.random, state["bit_generator"])()
    bits.state = state
    return np.random.Generator(bits)
