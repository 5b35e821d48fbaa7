"""Training that ends when the task is solved."""

from typing import Any

from pytorch_lightning import Callback

from zoo.errors import InputError


class Solved(Callback):
    """Ends the fit when the greedy return stood at `return_` or above in `sustained` evaluations in a row.

    Args:
        return_: mean return of an evaluation that counts as solved.
        sustained: evaluations in a row.

    >>> Solved(475.0, sustained=3).sustained
    3
    """

    def __init__(self, return_: float, sustained: int = 3):
        if sustained < 1:
            raise InputError(f"Solved: expected sustained >= 1, got {sustained}; mend trainer.callbacks")
        self.return_, self.sustained, self.reached = return_, sustained, 0

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Count this evaluation."""
        if trainer.state.fn != "fit":
            return
        figures = trainer.callback_metrics
        if "val/return" not in figures:
            raise InputError(f"Solved: expected a task that reports val/return, got {', '.join(figures)}; leave it out")
        self.reached = self.reached + 1 if float(figures["val/return"]) >= self.return_ else 0
        if self.reached >= self.sustained:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, int]:
        """A resumed run goes on counting."""
        return {"reached": self.reached}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Take up what `state_dict` returned."""
        self.reached = state_dict["reached"]
