"""What a probe reads of one optimiser step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from zoo.training.random_state import set_torch_state, torch_state_kept

LossTerms = Callable[[nn.Module, Any], dict[str, Tensor]]
Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class Step:
    """Gradients, parameters and the loss of one optimiser step; reading it changes nothing.

    Attributes:
        index: number of optimiser steps taken before this one.
        grads: name -> dL/dtheta as the optimiser would get it (unscaled, reduced, accumulated), before clipping.
        params: name -> theta.
        loss_at: parameters -> the objective of this step's whole batch (every micro-batch) at those parameters,
            with the same dropout masks and with the buffers as they were.
        net: whose parameters they are, for probes that watch its layers while `loss_at` runs it.
    """

    index: int
    grads: Parameters
    params: Parameters
    loss_at: Callable[[Parameters], Tensor]
    net: nn.Module


Probe = Callable[[Step], dict[str, Tensor]]


class _Objective(nn.Module):
    """functional_call swaps parameters only for the time of a forward: this makes the loss that forward."""

    def __init__(self, net: nn.Module, loss: LossTerms):
        super().__init__()
        self.net, self._loss = net, loss

    def forward(self, batch: Any) -> Tensor:
        return sum(self._loss(self.net, batch).values())


def loss_at(net: nn.Module, loss: LossTerms, batches: Sequence[Any], random_states: Sequence[list[Tensor]]) -> Callable:
    """theta -> mean over micro-batches of the summed loss terms, each with its own random state.

    A name that is missing from theta keeps the net's own parameter.

    Args:
        net: the module whose parameters are replaced; names are those of `net.named_parameters()`.
        loss: (net, batch) -> named terms.
        batches: the micro-batches of one optimiser step.
        random_states: torch's random state before each of them, so that dropout draws the same masks.
    """
    objective = _Objective(net, loss)

    def objective_at(params: Parameters) -> Tensor:
        buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}
        swapped = {f"net.{name}": value for name, value in {**params, **buffers}.items()}
        with torch_state_kept(), torch.enable_grad():
            losses = []
            for batch, state in zip(batches, random_states, strict=True):
                set_torch_state(state)
                losses.append(functional_call(objective, swapped, (batch,)))
        return torch.stack(losses).mean()

    return objective_at
