"""The replay of a step whose gradient is not finite: same weights, batches and random numbers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from zoo.probes.origin import Origin, find_origin
from zoo.training.step import LossTerms, loss_at


def origin_of(
    net: nn.Module,
    loss: LossTerms,
    batches: Sequence[Any],
    random_states: Sequence[list[Tensor]],
    context: Callable[[], AbstractContextManager],
) -> Origin | None:
    """The origin of what is not finite in a step that is about to be taken; of several ranks' the first one.

    Args:
        net: parameters as the step found them.
        loss: (net, batch) -> named terms.
        batches: the micro-batches of the step.
        random_states: torch's random state before each of them.
        context: makes the precision in which the step was computed.
    """

    def replayed(batch: Any, number: int, terms_of: LossTerms) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}

        def noted(module: nn.Module, one: Any) -> dict[str, Tensor]:
            terms.update(terms_of(module, one))
            return terms

        with context():
            loss_at(net, noted, [batch], [random_states[number]])({})
        return terms

    return _of_all_ranks(find_origin(net, loss, batches, replayed))


def _of_all_ranks(found: Origin | None) -> Origin | None:
    # A gradient that is not finite is so on every rank once it is reduced: all of them are here.
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return found
    every: list[Origin | None] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(every, found)
    return next((one for one in every if one is not None), None)


def origin_facts(origin: Origin, first_batch: int) -> Iterator[tuple[str, str, float]]:
    """The origin as readings; `first_batch` counts the batches of the run before this step."""
    yield origin.layer or "net", f"nonfinite/{origin.kind}", float(origin.example)
    yield "", "nonfinite_batch", float(first_batch + origin.micro_batch)
