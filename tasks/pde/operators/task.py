"""A DeepONet that learns an operator."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor

from tasks.pde.networks import DeepONet
from tasks.pde.operators.ansatz import OperatorAnsatz
from tasks.pde.operators.criteria import Batch, Criterion, Data
from tasks.pde.operators.explain import answer_sections, sensitivity_sections
from tasks.pde.operators.heads import LeastSquaresHeads
from tasks.pde.operators.losses import relative_l2
from tasks.pde.operators.problems import OperatorProblem
from zoo.errors import InputError
from zoo.reports import Section
from zoo.training.checkpoints import read_checkpoint
from zoo.training.task import TaskModule

LAYERS = ("branch_body", "branch_head", "trunk_body", "trunk_head")


class OperatorLearning(TaskModule):
    """min over nets of what a criterion says of solutions, of an equation, or of a few solutions of another problem.

    Args:
        problem: the operator, with its own solver.
        net: sensors and points -> solution.
        optimizer: see `TaskModule`.
        criterion: what is minimised.
        hard_conditions: build the problem's conditions and lifts into the solution.
        heads: solve for the heads by least squares while the optimiser trains the hidden layers.
        trained: layers that the optimiser trains, of branch_body, branch_head, trunk_body, trunk_head; by default all,
            or the bodies where `heads` solves for the rest.
        start_from: checkpoint of a run whose net is the start.
        kwargs: further arguments of `TaskModule`.

    Raises:
        InputError: layers that are not there, heads that are trained twice, or a checkpoint of another net.
    """

    def __init__(
        self,
        problem: OperatorProblem,
        net: DeepONet,
        optimizer: OptimizerCallable,
        criterion: Criterion | None = None,
        hard_conditions: bool = True,
        heads: LeastSquaresHeads | None = None,
        trained: list[str] | None = None,
        start_from: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(OperatorAnsatz(net, problem, hard_conditions), optimizer, **kwargs)
        self.problem, self.criterion, self.heads = problem, criterion or Data(), heads
        self._freeze_all_but(trained)
        self.start_from = start_from

    def _freeze_all_but(self, trained: list[str] | None) -> None:
        if trained is None:
            trained = [name for name in LAYERS if self.heads is None or name.endswith("body")]
        wrong = [name for name in trained if name not in LAYERS]
        twice = [name for name in trained if self.heads is not None and name.endswith("head")]
        if wrong or twice or not trained:
            expected = "layers that model.heads does not solve for" if twice else f"some of {', '.join(LAYERS)}"
            raise InputError(f"model.trained: expected {expected}, got {trained}; mend the recipe")
        for name in LAYERS:
            getattr(self.net.net, name).requires_grad_(name in trained)

    def take_weights_of(self, path: str) -> None:
        """Start from the net in a checkpoint."""
        state = read_checkpoint(Path(path))["state_dict"]
        weights = {key.removeprefix("net.net."): value for key, value in state.items() if key.startswith("net.net.")}
        net = self.net.net
        shapes = {name: value.shape for name, value in net.state_dict().items()}
        if {name: value.shape for name, value in weights.items()} != shapes:
            raise InputError(
                f"model.start_from: expected a checkpoint of the same net, got another in {path}; take model.net from "
                "the config.yaml beside it"
            )
        net.load_state_dict(weights)

    def loss(self, net: OperatorAnsatz, batch: Batch) -> dict[str, Tensor]:
        """The criterion's terms."""
        return self.criterion.terms(net, cast(batch, next(self.net.parameters()).dtype))

    def on_fit_start(self) -> None:
        """Refuse data that lack what the criterion needs, and take the start's weights."""
        super().on_fit_start()
        data = self.trainer.datamodule
        if self.criterion.needs_solutions and not getattr(data, "solutions", True):
            raise InputError("data.solutions: expected true with this model.criterion, got false; mend the recipe")
        if self.criterion.needs_others and not getattr(data, "others", 1) and self.criterion.discrepancy_weight:
            raise InputError("data.others: expected 1 or more with model.criterion Transfer, got 0; mend the recipe")
        if self.start_from is not None and self.trainer.ckpt_path is None:  # a resumed run has its own
            self.take_weights_of(self.start_from)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Solve for the heads before the first step."""
        if self.heads is not None and self.trainer.global_step == 0:
            self._solve_heads(batch)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Solve for the heads that fit the hidden layers as the step left them."""
        last = batch_idx + 1 == self.trainer.num_training_batches
        if self.heads is not None and (last or self.trainer.global_step % self.heads.every == 0):
            self._solve_heads(batch)
        super().on_train_batch_end(outputs, batch, batch_idx)

    def _solve_heads(self, batch: Batch) -> None:
        self.heads.solve(self.net, self.criterion, cast(batch, next(self.net.parameters()).dtype))

    def evaluate(self, net: OperatorAnsatz, batch: Batch) -> dict[str, Tensor]:
        """Relative l2 error of every function, never below the solver's own."""
        batch = cast(batch, next(net.parameters()).dtype)
        with torch.no_grad():
            found_BQ = net(batch.sensors_BM, batch.points)[0]
        error_B = relative_l2(found_BQ.double(), batch.solution_BQ.double())
        return {"relative_l2": error_B.clamp(min=self.problem.solution_error)}

    best_metric = ("val/relative_l2", "min")

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Points, the input functions at the sensors, and the solutions."""
        batch = cast(batch, next(self.net.parameters()).dtype)
        with torch.no_grad():
            found_BQ = self.net(batch.sensors_BM, batch.points)[0]
        return {"points": batch.points, "inputs": batch.sensors_BM, "solutions": found_BQ}

    def report_sections(self, data: Any) -> list[Section]:
        """The median and the worst test function, and what the answers depend on."""
        return [*answer_sections(self, data), *sensitivity_sections(self, data)]

    explain_options = ("examples",)

    def explain_sections(self, data: Any, **options: Any) -> list[Section]:
        """What the answers depend on."""
        return sensitivity_sections(self, data, options.get("count", 2))


def cast(batch: Batch, dtype: torch.dtype) -> Batch:
    """The batch in the net's precision."""
    return Batch(*[None if part is None else part.to(dtype) for part in batch])
