"""The one derivative all attributions are made of: d score / d inputs, computed without touching anything else.

Legend: N = examples; a score maps inputs [N, ...] to one number an example, [N].
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor

from zoo.errors import InputError

Score = Callable[[Tensor], Tensor]
Options = ParamSpec("Options")
Found = TypeVar("Found")
Method = Callable[Concatenate[Score, Tensor, Options], Found]


def reading(method: Method[Options, Found]) -> Method[Options, Found]:
    """A method that leaves nothing behind: gradients on whatever the caller's mode, inputs detached, RNG put back.

    Parameters' .grad stays as it is because only `torch.autograd.grad` with respect to inputs is ever called. Eval
    mode is the caller's: a score in train mode moves the statistics of its batch norms as any forward pass does.
    """

    @wraps(method)
    def read(score: Score, inputs: Tensor, *args: Options.args, **options: Options.kwargs) -> Found:
        if not isinstance(inputs, Tensor) or not inputs.dim() or not len(inputs):
            got = list(inputs.shape) if isinstance(inputs, Tensor) else type(inputs).__name__
            raise InputError(f"inputs: expected a tensor [N, ...] of one example or more, got {got}; pass a batch")
        devices = [inputs.device] if inputs.is_cuda else []
        # A score may draw random numbers (dropout, samples): the caller's stream does not move.
        with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices):
            return method(score, inputs.detach(), *args, **options)

    return read


@reading
def gradient(score: Score, inputs: Tensor) -> Tensor:
    """d score_n / d inputs_n, shaped like inputs.

    Works under no_grad and inference mode; no parameter's .grad is touched.

    Raises:
        InputError: the score is not one number an example, or does not depend on the inputs.

    >>> gradient(lambda x: (x**2).sum(1), torch.tensor([[1.0, 2.0]])).tolist()
    [[2.0, 4.0]]
    """
    return slope(score, inputs)


def slope(score: Score, inputs: Tensor) -> Tensor:
    """The gradient, for methods that are `reading` already."""
    return without_cudnn_where_needed(lambda: _slope(score, leaf_of(inputs)))


def _slope(score: Score, leaf: Tensor) -> Tensor:
    values = checked_score(score, leaf)
    if not values.requires_grad:
        raise InputError(
            "score: expected a differentiable function of the inputs, got one without gradient; "
            "take no_grad, argmax, detach and rounding out of it"
        )
    found = torch.autograd.grad(values, leaf, torch.ones_like(values), allow_unused=True)[0]
    if found is None:
        raise InputError("score: expected a function of the inputs, got one that does not use them; check the score")
    return found


def without_cudnn_where_needed(compute: Callable[[], Found]) -> Found:
    """compute(), a second time without cuDNN if its recurrent kernels refuse.

    They have no backward in eval mode, and train mode would change what is explained.
    """
    try:
        return compute()
    except RuntimeError as error:
        if "cudnn RNN backward" not in str(error):
            raise
    with torch.backends.cudnn.flags(enabled=False):
        return compute()


def leaf_of(inputs: Tensor) -> Tensor:
    """A copy that requires a gradient, outside of any graph and of inference mode.

    Raises:
        InputError: inputs that have no derivative.
    """
    if not inputs.is_floating_point():
        raise InputError(f"inputs: expected floating point, got {inputs.dtype}; explain the embedded inputs instead")
    return inputs.detach().clone().requires_grad_()


def checked_score(score: Score, inputs: Tensor) -> Tensor:
    """score(inputs), if it is one number an example.

    Raises:
        InputError: it is not.
    """
    values = score(inputs)
    if not isinstance(values, Tensor) or values.shape != inputs.shape[:1]:
        got = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise InputError(f"score: expected one number an example, [{len(inputs)}], got {got}; pick one output each")
    return values
