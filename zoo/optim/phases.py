"""Several optimisers one after the other: Adam to find the valley, a second-order method to reach its floor."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from zoo.errors import InputError


@dataclass
class Phase:
    """One optimiser for a number of steps; the last phase has none and lasts as long as the run."""

    optimizer: Callable[[Iterable], Optimizer]
    steps: int | None = None
    scheduler: Callable[[Optimizer], LRScheduler] | None = None


class Phases(Optimizer):
    """The optimiser of the present phase; a new phase starts with a fresh state from the parameters as they are.

    Args:
        params: parameters or groups.
        phases: in their order; every one but the last with its steps. A scheduler of a phase moves every step.

    Raises:
        InputError: no phases, or steps missing or not positive before the last one; an optimiser refuses its arguments.
    """

    def __init__(self, params: Iterable, phases: list[Phase]):
        lengths = [phase.steps for phase in phases]
        if not phases or any(steps is None or steps < 1 for steps in lengths[:-1]) or lengths[-1] is not None:
            raise InputError(
                f"Phases: expected steps of 1 or more in every phase but the last, got {lengths}; mend the recipe"
            )
        self._phases = phases
        self.present, self.steps_in_phase = 0, 0
        self.readings: dict[str, float] = {"phase": 0.0}
        super().__init__(params, {})
        # Each is made once here, so that a mistake in a later one shows before the first step.
        made = [phase.optimizer(self._bare_groups()) for phase in phases]
        self.exact_gradients = any(getattr(optimizer, "exact_gradients", False) for optimizer in made)
        self._enter(0)

    def _bare_groups(self) -> list[dict[str, Any]]:
        return [{"params": group["params"]} for group in self.param_groups]

    def _enter(self, present: int) -> None:
        phase = self._phases[present]
        self.present, self.steps_in_phase = present, 0
        self.optimizer = phase.optimizer(self._bare_groups())
        self.scheduler = phase.scheduler(self.optimizer) if phase.scheduler else None
        self.param_groups, self.state = self.optimizer.param_groups, self.optimizer.state

    @property
    def wants_residuals(self) -> bool:
        """Whether the step to come is one of least squares."""
        return getattr(self.optimizer, "wants_residuals", False)

    @property
    def wants_products(self) -> bool:
        """Whether the step to come takes the Jacobian as products."""
        return getattr(self.optimizer, "wants_products", False)

    def step(self, closure: Callable[[], Any] | None = None) -> Tensor | None:
        """One step of the present optimiser; after a phase's last step the next phase is present.

        `self.readings` then holds the phase of this step and what its optimiser says of it.
        """
        result = self.optimizer.step(closure)
        self.readings = {"phase": float(self.present), **getattr(self.optimizer, "readings", {})}
        if self.scheduler is not None:
            self.scheduler.step()
        self.steps_in_phase += 1
        if self.steps_in_phase == self._phases[self.present].steps:
            self._enter(self.present + 1)
        return result

    def state_dict(self) -> dict[str, Any]:
        """Phase, place in it, and the states of its optimiser and scheduler."""
        scheduler = self.scheduler.state_dict() if self.scheduler else None
        place = {"present": self.present, "steps_in_phase": self.steps_in_phase}
        return {**self.optimizer.state_dict(), **place, "scheduler": scheduler}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up where it stopped."""
        self._enter(state_dict["present"])
        self.steps_in_phase = state_dict["steps_in_phase"]
        self.optimizer.load_state_dict({key: state_dict[key] for key in ("state", "param_groups")})
        self.param_groups, self.state = self.optimizer.param_groups, self.optimizer.state
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state_dict["scheduler"])
