"""Which optimisers fit which runs, and one line where one does not."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from zoo.errors import InputError
from zoo.optim.phases import Phases
from zoo.optim.quasi_newton import QuasiNewton
from zoo.optim.sam import SAM


def steps_by_hand(optimizer: Optimizer) -> bool:
    """Whether it asks for more than the closure of automatic optimisation gives: residuals, a divergence, or both.

    >>> steps_by_hand(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1))
    False
    """
    wishes = ("wants_residuals", "wants_divergence")
    return isinstance(optimizer, Phases) or any(getattr(optimizer, wish, False) for wish in wishes)


def refuse_beside(optimizer: Optimizer, given: Mapping[str, bool]) -> None:
    """Options that have no place beside this optimiser; `given` says which of them there are.

    Raises:
        InputError: for the first one that is there.
    """
    for key, is_given in given.items():
        if is_given:
            raise InputError(f"{key}: expected none with {type(optimizer).__name__}, got it; leave it out")


def refuse_inexact_gradients(optimizer: Optimizer, clips: bool, ranks: int) -> None:
    """Line searches and least squares compare values of the loss with gradients of that very loss.

    Raises:
        InputError: the gradient is clipped, or a mean over several processes.
    """
    if not any(getattr(optimizer, name, False) for name in ("wants_residuals", "exact_gradients")):
        return
    refuse_beside(optimizer, {"model.clipping": clips})
    if ranks > 1:
        name = type(optimizer).__name__
        raise InputError(f"trainer.devices: expected 1 with {name}, got {ranks} processes; take one")


def refuse_accumulation(optimizer: Optimizer, batches: int) -> None:
    """Lightning clears gradients before the first of the accumulated batches only: a second evaluation of the last
    batch would be added to the gradient of the first evaluation.

    Raises:
        InputError: several batches a step for an optimiser that evaluates them several times.
    """
    if batches > 1 and isinstance(optimizer, (torch.optim.LBFGS, SAM, QuasiNewton)):
        raise InputError(
            f"trainer.accumulate_grad_batches: expected 1 with {type(optimizer).__name__}, which evaluates a batch "
            f"several times a step, got {batches}; take a larger data.batch_size"
        )


def refuse_lightnings_clipping(value: Any) -> None:
    """A second door: Lightning's own clipping would change gradients after they were read.

    Raises:
        InputError: it is asked for.
    """
    if value is not None:
        raise InputError(
            f"trainer.gradient_clip_val: expected null, got {value}; "
            "clip with model.clipping, e.g. {class_path: zoo.optim.ByGlobalNorm, init_args: {max_norm: 1.0}}"
        )
