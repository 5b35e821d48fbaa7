"""Steps of manual optimisation: what each kind of optimiser asks for, and Lightning's detours left out where they
would do nothing.

`LightningOptimizer.step` and `manual_backward` call six hooks and count the step: 50 microseconds, which a net whose
step takes a millisecond notices. Where no one listens, `step_directly` counts the step and calls the door.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.plugins.precision import DoublePrecision, MixedPrecision, Precision
from pytorch_lightning.profilers import PassThroughProfiler
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.optim import Optimizer

HOOKS = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")  # that Lightning calls in a step


def asked_by(
    optimizer: Optimizer,
    evaluated: Callable[[], Tensor],
    value: Callable[[], Tensor],
    linearised: Callable[[], tuple[Tensor, Any]],
    divergence: Callable[[], Any],
) -> Callable[[], Any]:
    """The closure of an optimiser's step.

    Args:
        optimizer: says by `wants_residuals` or `wants_divergence` that it takes more than a loss.
        evaluated: loss, with its gradient left in `.grad`.
        value: loss alone.
        linearised: residuals and Jacobian.
        divergence: a divergence function at the parameters as they are; called once, before the step.
    """
    if getattr(optimizer, "wants_residuals", False):
        return linearised
    if not getattr(optimizer, "wants_divergence", False):
        return evaluated
    measured = divergence()
    # Without gradients a trial step asks for values alone.
    return lambda: (evaluated() if torch.is_grad_enabled() else value().detach(), measured)


def needs_no_lightning(trainer: Trainer, task: LightningModule) -> bool:
    """Whether Lightning would do nothing around a step but count it: one device, no loss scale, no one who listens.

    The task's own `on_before_optimizer_step` is the door, which `step_directly` passes.
    """
    precision = trainer.precision_plugin
    return (
        type(trainer.strategy) is SingleDeviceStrategy
        and isinstance(trainer.profiler, PassThroughProfiler)
        and type(precision) in (Precision, DoublePrecision, MixedPrecision)
        and getattr(precision, "scaler", None) is None
        and not any(overrides(one, Callback, HOOKS) for one in trainer.callbacks)
        and not overrides(task, LightningModule, ("backward", *HOOKS[:2]))
    )


def overrides(instance: Any, base: type, names: Iterable[str]) -> bool:
    """Whether an instance has its own of any of these methods of its base class.

    >>> overrides(torch.nn.Linear(1, 1), torch.nn.Module, ["forward"])
    True
    >>> overrides(torch.nn.Linear(1, 1), torch.nn.Module, ["zero_grad"])
    False
    """
    return any(getattr(getattr(instance, name), "__func__", None) is not getattr(base, name) for name in names)


def step_directly(optimizer: LightningOptimizer, closure: Callable[[], Any], door: Callable[[Optimizer], None]) -> None:
    """`optimizer.step(closure)`, counted by Lightning, with the door alone between gradient and step."""
    raw = optimizer.optimizer

    def through_the_door() -> Any:
        found = closure()
        door(raw)
        return found

    optimizer._on_before_step()
    raw.step(through_the_door)
    optimizer._on_after_step()
