"""Splits for sets that have none: by a hash, so that they depend on nothing but the utterances themselves."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TypeVar

TEST, VALIDATION = 15, 10  # per cent of the different keys
One = TypeVar("One")


def split_of(key: str) -> str:
    """The split of everything that shares a key: 15 % test, 10 % validation.

    >>> split_of("vm-goodbye") == split_of("vm-goodbye")
    True
    """
    place = int.from_bytes(sha256(key.encode()).digest()[:4], "big") % 100
    return "test" if place < TEST else "validation" if place < TEST + VALIDATION else "train"


def split_by(whole: Sequence[One], key_of: Callable[[One], str]) -> dict[str, list[One]]:
    """What is in each split that has something; what shares a key is in one."""
    found: dict[str, list[One]] = {"train": [], "validation": [], "test": []}
    for one in whole:
        found[split_of(key_of(one))].append(one)
    return {split: members for split, members in found.items() if members}
