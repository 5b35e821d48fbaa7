"""What every data module with named splits in memory needs."""

from typing import Any, TypeVar

from zoo.data.tensor_loader import TensorLoader
from zoo.errors import InputError

Split = TypeVar("Split")


def split_named(splits: dict[str, Split], name: str) -> Split:
    """The split of that name.

    Raises:
        InputError: there is none.

    >>> split_named({"train": 1, "test": 2}, "test")
    2
    """
    if name not in splits:
        raise InputError(f"split: expected one of {', '.join(splits)}, got {name!r}; mend the command")
    return splits[name]


def within_limit(loader: TensorLoader, trainer: Any) -> TensorLoader:
    """The loader, told how many batches of an epoch the trainer (None: all) will take, so that it resumes rightly."""
    if trainer is not None:
        limit = trainer.limit_train_batches
        loader.taken = min(len(loader), limit if isinstance(limit, int) else int(limit * len(loader))) or None
    return loader
