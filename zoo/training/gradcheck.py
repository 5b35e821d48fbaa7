"""A recipe's whole task against finite differences: what `zoo gradcheck` does."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from zoo.derivatives.gradient_check import GradientCheck, TensorCheck, check_gradients
from zoo.derivatives.in_float64 import in_float64
from zoo.training.batch_parts import floating_parts, with_parts
from zoo.training.captured import Captured, captured, loss_of
from zoo.training.config_cli import make
from zoo.training.configuration import Tree
from zoo.training.random_state import torch_state, torch_state_kept
from zoo.training.step import loss_at

# Examples and points of a batch: a gradient wrong for many is wrong for few, and ReLUs bend less often.
FEW = {"batch_size": 16, "points": 64}


def gradcheck(
    name: str, tree: Tree, overrides: list[tuple[str, str]], tolerance: float = 1e-6, seconds: float = 8.0
) -> int:
    """Print how a recipe's gradients compare; returns 0 where all agree, else 1.

    Args:
        name: of the recipe.
        tree: its configuration.
        overrides: keys and values that win.
        tolerance: of the relative error.
        seconds: of the check, after which no further single entries are looked at.
    """
    check = prepared_check(tree, overrides, tolerance, seconds)
    started = time.monotonic()
    found = check()
    for line in described(name, found, time.monotonic() - started):
        print(line)
    return 0 if found.passed else 1


def prepared_check(
    tree: Tree, overrides: list[tuple[str, str]], tolerance: float = 1e-6, seconds: float = 8.0
) -> Callable[[], GradientCheck]:
    """The check of a recipe with its first batch at hand; arguments of `gradcheck`."""
    parts = make(tree, [("trainer.precision", "32-true"), *overrides])
    for name, most in FEW.items():
        if f"data.{name}" not in dict(overrides) and isinstance(given := getattr(parts.data, name, None), int):
            setattr(parts.data, name, min(given, most))
    batches = captured(parts)
    parts.task.double()

    def check() -> GradientCheck:
        share = seconds / len(batches)
        return sum((check_task(parts.task, one, tolerance, share) for one in batches), GradientCheck())

    return check


def check_task(task: Any, one: Captured, tolerance: float, seconds: float) -> GradientCheck:
    """Parameters and inputs of one captured batch, the task in float64 and in training mode.

    Terms in `task.opposed_terms` (a game's, whose gradient is reversed on the way) are checked by themselves, at the
    parameters that no other term reaches.
    """
    trained = {name: p for name, p in task.net.named_parameters() if p.requires_grad}
    opposed = task.opposed_terms
    plain = _without(one, opposed)
    inputs = _input_loss(task, one, plain) if task.differentiable_inputs else None
    share = seconds / (1 + bool(inputs))
    if not opposed:
        found = check_gradients(loss_of(task, plain), trained, tolerance, share)
    else:
        reached = _reached(loss_of(task, plain), trained)
        found = check_gradients(loss_of(task, plain), {n: trained[n] for n in reached}, tolerance, share)
        rest = {name: p for name, p in trained.items() if name not in reached}
        if rest:
            found += check_gradients(loss_of(task, _only(one, opposed)), rest, tolerance, share)
    found.draws = _draws(task, plain)
    if inputs and not found.unsteady:
        found += check_gradients(*inputs, tolerance, share)
    return found


def _draws(task: Any, one: Captured) -> bool:
    """Whether another random state gives another loss."""
    with torch_state_kept(), in_float64(), torch.no_grad():
        torch.manual_seed(int(one.state[0].sum()))
        return bool(loss_of(task, one)({}) != loss_of(task, replace(one, state=torch_state()))({}))


def _without(one: Captured, names: tuple[str, ...]) -> Captured:
    return replace(one, terms_of=lambda: {k: v for k, v in one.terms_of().items() if k not in names})


def _only(one: Captured, names: tuple[str, ...]) -> Captured:
    return replace(one, terms_of=lambda: {k: v for k, v in one.terms_of().items() if k in names})


def _reached(loss: Callable[[dict[str, Tensor]], Tensor], trained: dict[str, Tensor]) -> set[str]:
    with in_float64():
        leaves = {name: p.detach().clone().requires_grad_() for name, p in trained.items()}
        gradients = torch.autograd.grad(loss(leaves), list(leaves.values()), allow_unused=True)
    return {name for name, gradient in zip(trained, gradients, strict=True) if gradient is not None}


def _input_loss(task: Any, one: Captured, plain: Captured) -> tuple[Callable, dict[str, Tensor]] | None:
    """(loss of inputs by name, the inputs): floating tensors of the batch that the loss depends on, or what the task
    says its inputs are, such as embedded words."""
    opposed = task.opposed_terms
    parts = floating_parts(one.batch)

    def terms(net: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        found = task.objective_of(net, with_parts(one.batch, tensors))
        return {name: term for name, term in found.items() if name not in opposed}

    with in_float64():
        if parts:
            loss = _of_inputs(task, terms, one)
            with torch.no_grad():
                same = loss(parts) == loss_of(task, plain)({})  # not where another term asks, as a critic's
            return (loss, {f"input {n}": parts[n] for n in _reached(loss, parts)}) if same else None
        return _declared_inputs(task, one)


def _of_inputs(task: Any, terms: Callable, one: Captured) -> Callable[[dict[str, Tensor]], Tensor]:
    def loss(tensors: dict[str, Tensor]) -> Tensor:
        named = {name.removeprefix("input "): tensor for name, tensor in tensors.items()}
        return loss_at(task.net, lambda net, _: terms(net, named), [None], [one.state])({})

    return loss


def _declared_inputs(task: Any, one: Captured) -> tuple[Callable, dict[str, Tensor]] | None:
    try:
        inputs, score = task.loss_of_inputs(task.net, one.batch)
    except (TypeError, ValueError, AttributeError):  # a batch of other parts than (inputs, *rest): no inputs to check
        return None
    if not (isinstance(inputs, Tensor) and inputs.is_floating_point()):
        return None
    loss = _of_inputs(task, lambda _net, tensors: {"loss": score(tensors["vectors"])}, one)
    return loss, {"input vectors": inputs.detach()}


def described(name: str, found: GradientCheck, seconds: float) -> list[str]:
    """What is printed: one line for the whole, one for each tensor that disagrees.

    >>> described("a/b", GradientCheck(unsteady=0.5, unsteady_what="loss"), 1.0)[0].split(";")[0]
    'a/b: not deterministic: the loss differs by 0.5 of its size at the same parameters and random state'
    """
    if found.unsteady:
        return [
            f"{name}: not deterministic: the {found.unsteady_what} differs by {found.unsteady:.2g} of its size at the "
            "same parameters and random state; look for numpy's or Python's random numbers and for state that a "
            "forward pass leaves behind"
        ]
    tensors = len({one.name for one in found.checks})
    inputs = len({one.name for one in found.checks if one.name.startswith("input ")})
    entries = sum(one.where != "line" for one in found.checks)
    orders = sorted(o for one in found.checks if (o := one.comparison.order) == o)
    what = f"{tensors - inputs} parameter tensors, {inputs} inputs, {entries} single entries"
    draws = ", random draws held" if found.draws else ""
    order = f", order {orders[len(orders) // 2]:.1f}" if orders else ""
    bad = len({one.name for one in found.bad})
    verdict = "all agree" if found.passed else f"{bad} tensor{'s disagree' if bad > 1 else ' disagrees'}"
    head = f"{name}: {verdict}: {what}{draws}; largest relative error {found.error:.1e}{order}; {seconds:.1f} s"
    return [head, *(f"  {line}" for line in map(explained, found.bad))]


def explained(one: TensorCheck) -> str:
    """One disagreement in a sentence."""
    c = one.comparison
    at = one.name if one.where == "line" else f"{one.name} {one.where}"
    slopes = f"autograd {c.claimed:.6g}, finite differences {c.found:.6g}"
    ratio = f" ({c.claimed / c.found:.4g} of it)" if c.found else ""
    order = f", order {c.order:.1f}" if c.order == c.order else ""
    said = {
        "wrong gradient": f"wrong gradient: {slopes}{ratio}{order}; mend its backward, or a detach on the way",
        "kink": f"kink: slopes {c.left:.6g} and {c.right:.6g} on both sides, autograd {c.claimed:.6g}; no derivative "
        "exists here",
        "jump": f"jump: the loss is not continuous, it leaps by {c.height:.2g}; look for rounding, argmax, comparisons",
        "staircase": f"staircase: part of the loss is computed in lower precision, {slopes}",
    }
    return f"{at}: {said[c.verdict]}"
