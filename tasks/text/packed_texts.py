"""Texts as tensors, which a stored file keeps and its checksum covers.

Legend: N = texts, M = bytes of all of them.
"""

from itertools import pairwise

import torch
from torch import Tensor

from zoo.errors import InputError


def packed(texts: list[str]) -> tuple[Tensor, Tensor]:
    """(bytes_M uint8 in UTF-8, starts [N + 1] int64): text n is bytes starts[n] .. starts[n + 1] - 1.

    >>> packed(["é", ""])
    (tensor([195, 169], dtype=torch.uint8), tensor([0, 2, 2]))
    """
    raw = [text.encode() for text in texts]
    starts = torch.tensor([0, *map(len, raw)]).cumsum(0)
    whole = bytearray(b"".join(raw))
    return torch.frombuffer(whole, dtype=torch.uint8) if whole else torch.empty(0, dtype=torch.uint8), starts


def unpacked(bytes_M: Tensor, starts: Tensor) -> list[str]:
    """The inverse of `packed`.

    Raises:
        InputError: bytes that are no UTF-8, or starts that do not fit them.
    """
    raw, ends = bytes_M.numpy().tobytes(), starts.tolist()
    if not ends or ends[0] != 0 or ends[-1] != len(raw) or ends != sorted(ends):
        raise InputError(f"texts: expected starts from 0 up to {len(raw)}, got others; make the file anew")
    try:
        return [raw[a:b].decode() for a, b in pairwise(ends)]
    except UnicodeDecodeError as error:
        raise InputError(f"texts: expected UTF-8, got {error}; make the file anew") from error
