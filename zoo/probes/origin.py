"""Where the first NaN or infinity of a step came from: layer, micro-batch and example, by replaying the step.

A replay costs nothing until it is needed, whereas anomaly detection checks every operation of every step.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

Replay = Callable[[nn.Module, Any], dict[str, Tensor]]


@dataclass(frozen=True)
class Origin:
    """The first thing that was not finite.

    Attributes:
        kind: "parameter" before the step, "input" of the net, "output" of a layer, a "loss" term, or the "gradient"
            that a layer's backward pass (or that of the loss) gives.
        layer: name of the module, the parameter or the loss term.
        micro_batch: which of the step's batches.
        example: row of that batch, -1 where no single one can be told.
    """

    kind: str
    layer: str
    micro_batch: int = 0
    example: int = -1


@dataclass
class Call:
    """One call of a module: what of it was finite, forward and backward, and the first bad row of each."""

    name: str
    leaf: bool
    fed: int | None
    gave: int | None
    met: int | None = None  # by the gradient of the output
    passed: int | None = None  # by the gradient of the input
    order: int = 1 << 30  # of the first bad gradient of the input among those of all calls
    parameters: list[str] = field(default_factory=list)


def find_origin(
    net: nn.Module, terms_of: Replay, batches: Sequence[Any], replayed: Callable[[Any, int, Replay], dict[str, Tensor]]
) -> Origin | None:
    """The origin of what is not finite in a step, None where the replay is finite throughout.

    Args:
        net: with the parameters that the step started from.
        terms_of: (net, batch) -> loss terms.
        batches: the micro-batches of the step.
        replayed: (batch, its number, terms_of) -> the loss terms as they were, with the same random numbers and the
            buffers left alone; parameters must be those of `net`.
    """
    for name, parameter in net.named_parameters():
        if not bool(parameter.isfinite().all()):
            return Origin("parameter", name)
    for number, batch in enumerate(batches):
        with traced(net) as calls:
            terms = replayed(batch, number, terms_of)
            found = _forward_origin(calls) or _turned_bad(calls, set())  # a loss may differentiate on its way
            found = (
                found or _loss_origin(terms, batch, number, terms_of, replayed) or _backward_origin(net, calls, terms)
            )
        if found is not None:
            return Origin(found.kind, found.layer, number, found.example)
    return None


@contextmanager
def traced(net: nn.Module) -> Iterator[list[Call]]:
    """Calls of all modules in the order in which they end; gradients are noted as backward passes reach them."""
    calls: list[Call] = []
    handles = [
        module.register_forward_hook(_noting(name, module, calls), with_kwargs=True)
        for name, module in net.named_modules()
    ]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _noting(name: str, module: nn.Module, calls: list[Call]):
    leaf = not any(module.children())
    own = [f"{name}.{key}" if name else key for key, _ in module.named_parameters(recurse=False)]

    def note(_module: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
        inputs = [*_tensors(args), *_tensors(kwargs)]
        call = Call(name, leaf, _fed(inputs), _first_bad(_tensors(output)), parameters=own)
        calls.append(call)
        for tensor in _tensors(output)[:1]:
            if tensor.requires_grad:
                tensor.register_hook(lambda g: setattr(call, "met", _either(call.met, _bad_row(g))))
        for tensor in inputs[:1]:
            if tensor.requires_grad:
                tensor.register_hook(lambda g: _pass(call, calls, g))

    return note


def _pass(call: Call, calls: list[Call], gradient: Tensor) -> None:
    if call.passed is None and (row := _bad_row(gradient)) is not None:
        call.passed, call.order = row, sum(one.passed is not None for one in calls)


def _forward_origin(calls: list[Call]) -> Origin | None:
    bad = [call for call in calls if call.gave is not None]
    if not bad:
        return None
    made = next((call for call in bad if call.fed is None), None)
    return Origin("output", made.name, 0, made.gave) if made else Origin("input", bad[0].name, 0, bad[0].fed)


def _loss_origin(terms: dict[str, Tensor], batch: Any, number: int, terms_of: Replay, replayed) -> Origin | None:
    for name, term in terms.items():
        if not bool(term.detach().isfinite()):
            return Origin("loss", name, 0, _bad_example(name, batch, number, terms_of, replayed))
    return None


def _bad_example(name: str, batch: Any, number: int, terms_of: Replay, replayed) -> int:
    rows = _rows(batch)
    try:
        for i in range(rows):
            one = replayed(_row(batch, i, rows), number, terms_of)
            if not bool(one[name].detach().isfinite()):
                return i
    except (RuntimeError, ValueError, IndexError, KeyError):  # a loss of the batch as a whole
        pass
    return -1


def _backward_origin(net: nn.Module, calls: list[Call], terms: dict[str, Tensor]) -> Origin | None:
    parameters = {name: p for name, p in net.named_parameters() if p.requires_grad}
    grads = torch.autograd.grad(sum(terms.values()), list(parameters.values()), allow_unused=True)
    bad = {name for name, g in zip(parameters, grads, strict=True) if g is not None and _bad_row(g) is not None}
    if not bad and all(call.met is None and call.passed is None for call in calls):
        return None
    if (found := _turned_bad(calls, bad)) is not None:
        return found
    last = next((call for call in reversed(calls) if call.met is not None), None)
    leaves = [call for call in calls if call.leaf]
    if last is None or not last.leaf or last is leaves[-1]:
        return Origin("gradient", "loss", 0, last.met if last else -1)
    return Origin("gradient", last.name.rpartition(".")[0], 0, last.met)  # between two layers of this module


def _turned_bad(calls: list[Call], bad: set[str]) -> Origin | None:
    """The innermost call, first in the backward, to which a finite gradient came and which gave another."""
    turned = [c for c in calls if c.met is None and (c.passed is not None or bad & set(c.parameters))]
    inner = [c for c in turned if not any(_inside(o.name, c.name) for o in turned)]
    if not inner:
        return None
    first = min(reversed(inner), key=lambda call: call.order)
    return Origin("gradient", first.name, 0, -1 if first.passed is None else first.passed)


def _inside(name: str, module: str) -> bool:
    return name != module and name.startswith(f"{module}." if module else "")


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() else []
    if isinstance(value, dict):
        value = list(value.values())
    return [tensor for one in value for tensor in _tensors(one)] if isinstance(value, (list, tuple)) else []


def _fed(inputs: list[Tensor]) -> int | None:
    # Minus infinity is a common mask; the first argument is no mask.
    masks = [torch.where(tensor == -torch.inf, 0.0, tensor) for tensor in inputs[1:]]
    return _first_bad([*inputs[:1], *masks])


def _first_bad(tensors: list[Tensor]) -> int | None:
    return next((row for row in map(_bad_row, tensors) if row is not None), None)


def _bad_row(tensor: Tensor) -> int | None:
    """First row that is not finite, None if all are; -1 for a number without rows."""
    bad = ~(tensor.detach().to_dense() if tensor.is_sparse else tensor.detach()).isfinite()
    if not bool(bad.any()):
        return None
    return int(bad.reshape(len(bad), -1).any(1).nonzero()[0]) if bad.dim() else -1


def _either(one: int | None, other: int | None) -> int | None:
    return other if one is None else one


def _rows(batch: Any) -> int:
    found = [len(t) for t in _leaves(batch) if t.dim()]
    return found[0] if found else 0


def _row(batch: Any, i: int, rows: int) -> Any:
    if isinstance(batch, Tensor):
        return batch[i : i + 1] if batch.dim() and len(batch) == rows else batch
    if isinstance(batch, dict):
        return {key: _row(one, i, rows) for key, one in batch.items()}
    if isinstance(batch, (list, tuple)) and not hasattr(batch, "_fields"):
        return type(batch)(_row(one, i, rows) for one in batch)
    if isinstance(batch, tuple):
        return type(batch)(*(_row(one, i, rows) for one in batch))
    return batch


def _leaves(batch: Any) -> list[Tensor]:
    if isinstance(batch, Tensor):
        return [batch]
    values = batch.values() if isinstance(batch, dict) else batch if isinstance(batch, (list, tuple)) else ()
    return [tensor for one in values for tensor in _leaves(one)]
