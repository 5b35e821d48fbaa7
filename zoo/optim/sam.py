"""Sharpness-aware minimisation. Foret et al. (2021); adaptive form of Kwon et al. (2021)."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.errors import InputError
from zoo.optim.clipping import TINY, norm_of, positive


class SAM(Optimizer):
    """min_w max_{||e|| <= rho} L(w + e): the gradient at w + rho g / ||g|| moves w, by the base optimiser.

    Each step evaluates the closure twice. Batch normalisation then sees every batch twice with the same statistics
    but for the perturbation; Foret et al. do the same.

    Args:
        params: parameters or groups.
        base_optimizer: makes the optimiser that takes the step.
        rho: radius of the ball, 0.05 in the paper.
        adaptive: scale the ball by |w|, which makes it invariant to rescaling of the weights.

    Raises:
        InputError: `step` without a closure.
    """

    def __init__(
        self,
        params: Iterable,
        base_optimizer: Callable[[Iterable], Optimizer],
        rho: float = 0.05,
        adaptive: bool = False,
    ):
        self.rho, self.adaptive = positive("SAM.rho", rho), adaptive
        groups = list(params)
        self.base = base_optimizer(groups)
        super().__init__(self.base.param_groups, self.base.defaults)
        self.base.param_groups = self.param_groups  # one list for both: a schedule acts on the step that is taken
        self.state = self.base.state  # Lightning moves an optimiser's state between devices through this name

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor:
        """One step; returns the loss at w."""
        if closure is None:
            raise InputError(
                "SAM.step: expected a closure that computes the loss and its gradient, got none; "
                "pass one (precision 16-mixed cannot)"
            )
        with torch.enable_grad():
            loss = closure()
        moved = self._climb()
        with torch.enable_grad():
            closure()
        for parameter, before in moved:
            parameter.copy_(before)  # subtracting the perturbation again would not give back the same bits
        self.base.step()
        return loss

    def _climb(self) -> list[tuple[Tensor, Tensor]]:
        chosen = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        before = [(parameter, parameter.clone()) for parameter in chosen]
        scaled = [p.grad * p.abs() if self.adaptive else p.grad for p in chosen]
        factor = self.rho / (norm_of(scaled) + TINY)
        for parameter, gradient in zip(chosen, scaled, strict=True):
            parameter.add_(gradient * parameter.abs() * factor if self.adaptive else gradient * factor)
        return before

    def state_dict(self) -> dict[str, Any]:
        """The base optimiser's state: SAM keeps none of its own between steps."""
        return self.base.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""
        self.base.load_state_dict(state_dict)
        self.param_groups = self.base.param_groups
        self.state = self.base.state
