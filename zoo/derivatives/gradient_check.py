"""Autograd's gradient of a loss against finite differences in float64: every parameter tensor, every input.

A tensor of parameters is checked along one line, half of it along its gradient (so that the slope stands well above
rounding) and half along random signs (so that no entry is left out), and then entry by entry where time allows.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding
from torch.overrides import TorchFunctionMode

from zoo.derivatives.finite_differences import Comparison, compared
from zoo.derivatives.in_float64 import in_float64

Loss = Callable[[dict[str, Tensor]], Tensor]
TINY = 1e-300
STEADY = 1e-12  # relative; sums may be taken in another order by where memory lies
SMALLEST = 1e-6  # of the whole gradient's norm: a slope below that share counts as zero


@dataclass(frozen=True)
class TensorCheck:
    """Name of a tensor, where in it ("line" or "[i, j]"), and the comparison."""

    name: str
    where: str
    comparison: Comparison


@dataclass
class GradientCheck:
    """All comparisons of a loss; empty with `unsteady` set where the loss gives other numbers at the same place.

    Attributes:
        checks: one a tensor, and one a chosen entry.
        unsteady: relative spread of loss or gradient over repeated evaluations; finite differences mean nothing then.
        unsteady_what: which of both.
        draws: whether the loss draws random numbers, which were the same at every evaluation; for the caller to set.
        evaluations: of the loss.
        seconds: taken.
    """

    checks: list[TensorCheck] = field(default_factory=list)
    unsteady: float = 0.0
    unsteady_what: str = ""
    draws: bool = False
    evaluations: int = 0
    seconds: float = 0.0

    def __add__(self, other: "GradientCheck") -> "GradientCheck":
        """Both together."""
        worse = self if self.unsteady or not other.unsteady else other
        return GradientCheck(
            self.checks + other.checks,
            worse.unsteady,
            worse.unsteady_what,
            self.draws or other.draws,
            self.evaluations + other.evaluations,
            self.seconds + other.seconds,
        )

    @property
    def bad(self) -> list[TensorCheck]:
        """What does not agree."""
        return [one for one in self.checks if one.comparison.verdict != "agrees"]

    @property
    def passed(self) -> bool:
        """Whether everything agrees."""
        return not self.unsteady and not self.bad

    @property
    def error(self) -> float:
        """The largest relative error."""
        return max((one.comparison.error for one in self.checks), default=math.nan)


def check_gradients(
    loss: Loss, tensors: dict[str, Tensor], tolerance: float = 1e-6, seconds: float = 5.0, seed: int = 0
) -> GradientCheck:
    """Compare dL/dtensor of autograd with finite differences.

    Args:
        loss: tensors by name -> a scalar; repeatable, as `zoo.training.step.loss_at` makes it.
        tensors: where; floating.
        tolerance: of the relative error.
        seconds: after every tensor has been checked along its line, single entries are until then.
        seed: of lines and entries.

    >>> check_gradients(lambda t: t["x"].sin().sum(), {"x": torch.ones(3)}).passed
    True
    """
    started, found = time.monotonic(), GradientCheck()
    generator = torch.Generator().manual_seed(seed)
    with in_float64():
        at = {name: tensor.detach().double().clone() for name, tensor in tensors.items()}
        middle, gradients, padding = _steady_gradients(loss, at, found)
        if not found.unsteady:
            size = torch.stack([gradient.norm() for gradient in gradients.values()]).norm().item()
            level = 0  # nets of ReLUs need small steps throughout
            for name, where, line in _lines(gradients, padding, generator):
                if where != "line" and time.monotonic() - started > seconds:
                    break
                along = _along(loss, at, name, line, found)
                claimed = (gradients[name] * line).sum().item()
                check = compared(along, claimed, middle, SMALLEST * size, tolerance, level)
                level = check.level
                found.checks.append(TensorCheck(name, where, check))
    found.seconds = time.monotonic() - started
    return found


class _PaddingRows(TorchFunctionMode):
    """Notes the rows of tables that `padding_idx` keeps without a gradient on purpose."""

    def __init__(self):
        super().__init__()
        self.rows: dict[int, int] = {}

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func is embedding:
            table = args[1] if len(args) > 1 else kwargs["weight"]
            row = args[2] if len(args) > 2 else (kwargs or {}).get("padding_idx")
            if row is not None:
                self.rows[id(table)] = row
        return func(*args, **(kwargs or {}))


def _steady_gradients(
    loss: Loss, at: dict[str, Tensor], found: GradientCheck
) -> tuple[float, dict[str, Tensor], dict[str, int]]:
    """(loss, gradients, name -> the row without one on purpose); `found` learns if they come out the same again."""
    padding = _PaddingRows()
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in at.items()}
    with padding:
        first = _value_and_gradients(loss, leaves)
    value, gradients = first
    again, others = _value_and_gradients(loss, leaves)
    with torch.no_grad():
        values = [value, again, loss(at).item()]
    found.evaluations += 3
    spread = max(values) - min(values)
    apart = max((a - b).abs().max().item() for a, b in zip(gradients, others, strict=True))
    largest = max(part.abs().max().item() for part in gradients)
    if not spread <= STEADY * max(abs(value), TINY):
        found.unsteady, found.unsteady_what = spread / max(abs(value), TINY), "loss"
    elif apart > STEADY * largest:
        found.unsteady, found.unsteady_what = apart / largest, "gradient"
    rows = {name: padding.rows[id(leaf)] for name, leaf in leaves.items() if id(leaf) in padding.rows}
    return value, dict(zip(at, gradients, strict=True)), rows


def _value_and_gradients(loss: Loss, leaves: dict[str, Tensor]) -> tuple[float, list[Tensor]]:
    value = loss(leaves)
    if not value.requires_grad:
        return value.item(), [torch.zeros_like(leaf) for leaf in leaves.values()]
    parts = torch.autograd.grad(value, list(leaves.values()), materialize_grads=True)
    return value.item(), [part.to_dense() if part.is_sparse else part for part in parts]


def _lines(
    gradients: dict[str, Tensor], padding: dict[str, int], generator: torch.Generator
) -> Iterator[tuple[str, str, Tensor]]:
    for name, gradient in gradients.items():
        line = _line(gradient, generator)
        if name in padding:
            line[padding[name]] = 0.0
        yield name, "line", line
    for largest in (True, False):
        for name, gradient in gradients.items():
            # Where nothing arrives, as at the table's other words, there is nothing to see.
            reached = gradient.reshape(-1).nonzero()[:, 0]
            if gradient.numel() > 1 and len(reached):
                drawn = int(torch.randint(len(reached), (), generator=generator))
                index = int(gradient.abs().argmax()) if largest else int(reached[drawn])
                line = torch.zeros(gradient.numel(), dtype=gradient.dtype, device=gradient.device)
                line[index] = 1.0
                place = torch.unravel_index(torch.tensor(index), gradient.shape)
                yield name, str([int(i) for i in place]), line.view(gradient.shape)


def _line(gradient: Tensor, generator: torch.Generator) -> Tensor:
    signs = torch.randint(2, gradient.shape, generator=generator).double() * 2 - 1
    signs = signs / signs.norm()
    if not gradient.norm() > 0:
        return signs
    along = gradient / gradient.norm()
    line = along + (signs if (along * signs).sum() >= 0 else -signs)  # never the one against the other
    return line / line.norm()


def _along(
    loss: Loss, at: dict[str, Tensor], name: str, line: Tensor, found: GradientCheck
) -> Callable[[float], float]:
    @torch.no_grad()
    def along(distance: float) -> float:
        found.evaluations += 1
        return loss({**at, name: at[name] + distance * line}).item()

    return along
