"""The one derivative all attributions are made of: d score / d inputs, computed without touching anything else.

Legend: N = examples; a score maps inputs [N, ...] to one number an example, [N].
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from zoo.errors import InputError

Score = Callable[[Tensor], Tensor]


def gradient(score: Score, inputs: Tensor) -> Tensor:
    """d score_n / d inputs_n, shaped like inputs.

    Works under no_grad and inference mode; no parameter's .grad is touched.

    Raises:
        InputError: the score is not one number an example, or does not depend on the inputs.

    >>> gradient(lambda x: (x**2).sum(1), torch.tensor([[1.0, 2.0]])).tolist()
    [[2.0, 4.0]]
    """
    try:
        found = _gradient(score, inputs)
    except RuntimeError as error:
        if "cudnn RNN backward" not in str(error):
            raise
        # cuDNN's recurrent kernels have no backward in eval mode, and train mode would change what is explained.
        with torch.backends.cudnn.flags(enabled=False):
            found = _gradient(score, inputs)
    if found is None:
        raise InputError("score: expected a function of the inputs, got one that does not use them; check the score")
    return found


def _gradient(score: Score, inputs: Tensor) -> Tensor | None:
    with differentiable():
        leaf = leaf_of(inputs)
        return torch.autograd.grad(checked_score(score, leaf).sum(), leaf, allow_unused=True)[0]


@contextmanager
def differentiable() -> Iterator[None]:
    """Gradients on, also inside no_grad and inference mode."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


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
