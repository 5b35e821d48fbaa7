"""Functions and the solutions that belong to them, made from a seed by the problem's own solver.

Legend: B = functions, M = sensors, Q = points, D = coordinates, G = points of the grid.
"""

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from tasks.pde.operators.criteria import Batch
from tasks.pde.operators.problems import OperatorProblem
from tasks.pde.operators.random_fields import Functions, gaussian_field
from tasks.pde.references import grid_of
from zoo.data import TensorLoader
from zoo.errors import InputError

PARTS = ("train", "val", "test", "others")


class OperatorData(LightningDataModule):
    """Gaussian random fields as input functions, with solutions on a grid.

    Args:
        problem: solves for the solutions; the same as the task's.
        functions: to train on.
        points: of a function that are trained on, drawn from the grid (or, without solutions, a Sobol set of the box).
        sensors: equidistant on [0, 1], ends included.
        own_points: every function has points of its own ("unaligned"), else all share theirs.
        solutions: solve for the training functions; an equation is trained on without.
        others: further input functions without solutions, for transfer.
        val_functions, test_functions: judged on the whole grid.
        grid: its size along every coordinate.
        batch_size: functions in a batch; all by default.
        steps_per_epoch: how often the training functions are gone through in an epoch.
        length_scale: of the field.
        seed: of functions and points; by default the run's.

    Raises:
        InputError: a number below 1, more points than the grid has, or a grid of other dimension than the problem.
    """

    def __init__(
        self,
        problem: OperatorProblem,
        functions: int = 500,
        points: int = 1000,
        sensors: int = 100,
        own_points: bool = False,
        solutions: bool = True,
        others: int = 0,
        val_functions: int = 100,
        test_functions: int = 500,
        grid: list[int] = (51, 51),
        batch_size: int | None = None,
        steps_per_epoch: int = 1,
        length_scale: float = 0.2,
        seed: int | None = None,
    ):
        super().__init__()
        counts = {"functions": functions, "points": points, "val_functions": val_functions, "sensors": sensors - 1}
        counts |= {"test_functions": test_functions, "steps_per_epoch": steps_per_epoch, "grid": min(grid) - 1}
        low = [name for name, count in counts.items() if count < 1]
        if low or others < 0:
            raise InputError(f"data.{(low or ['others'])[0]}: expected more, got too few to work with; mend the recipe")
        if len(grid) != len(problem.coordinates):
            raise InputError(
                f"data.grid: expected a size for each of {', '.join(problem.coordinates)}, got {list(grid)}; mend it"
            )
        self.problem, self.functions, self.points, self.sensors = problem, functions, points, sensors
        self.own_points, self.solutions, self.others = own_points, solutions, others
        self.val_functions, self.test_functions, self.grid = val_functions, test_functions, list(grid)
        self.batch_size, self.steps_per_epoch = batch_size, steps_per_epoch
        self.length_scale, self.seed = length_scale, seed
        self.grid_GD, _ = grid_of(problem.bounds, tuple(grid))
        if solutions and points > len(self.grid_GD):
            raise InputError(
                f"data.points: expected {len(self.grid_GD)} at most, all of the grid, got {points}; mend it"
            )
        self._made: dict[str, Batch] = {}

    def setup(self, stage: str | None = None) -> None:
        """Nothing to load."""
        self.seed = torch.initial_seed() % 2**31 if self.seed is None else self.seed

    def inputs(self, part: str) -> Functions:
        """The input functions of "train", "val", "test" or "others"."""
        counts = (self.functions, self.val_functions, self.test_functions, max(self.others, 1))
        place = PARTS.index(part)
        return gaussian_field(counts[place], self.seed * len(PARTS) + place, self.length_scale)

    def batch(self, part: str) -> Batch:
        """All of a part, float64, made once."""
        if part not in self._made:
            self._made[part] = self._training() if part == "train" else self._judging(part)
        return self._made[part]

    def at_sensors(self, inputs: Functions) -> Tensor:
        """[B, M]."""
        return inputs.at(torch.linspace(0, 1, self.sensors, dtype=torch.float64))

    def _source(self, inputs: Functions, points: Tensor) -> Tensor:
        return inputs.at(points[..., self.problem.coordinates.index("x")])

    def _judging(self, part: str) -> Batch:
        inputs = self.inputs(part)
        solution_BG = self.problem.solution(inputs, self.grid)
        return Batch(self.at_sensors(inputs), self._source(inputs, self.grid_GD), self.grid_GD, solution_BG)

    def _training(self) -> Batch:
        inputs = self.inputs("train")
        others_UM = self.at_sensors(self.inputs("others")) if self.others else None
        generator = torch.Generator().manual_seed(self.seed)
        if not self.solutions:
            points = self._drawn_from_box()
            return Batch(self.at_sensors(inputs), self._source(inputs, points), points, None, others_UM)
        solution_BG = self.problem.solution(inputs, self.grid)
        sets = self.functions if self.own_points else 1
        chosen = torch.rand(sets, len(self.grid_GD), generator=generator).argsort(1)[:, : self.points]
        points = self.grid_GD[chosen if self.own_points else chosen[0]]
        solution_BQ = solution_BG.gather(1, chosen.expand(self.functions, -1))
        return Batch(self.at_sensors(inputs), self._source(inputs, points), points, solution_BQ, others_UM)

    def _drawn_from_box(self) -> Tensor:
        sets, d = (self.functions if self.own_points else 1), len(self.problem.coordinates)
        engine = torch.quasirandom.SobolEngine(d, scramble=True, seed=self.seed)
        unit = engine.draw(sets * self.points, dtype=torch.float64)
        return unit.unflatten(0, (sets, self.points)) if self.own_points else unit

    def train_dataloader(self) -> TensorLoader:
        """Batches of functions in a new order every epoch; each function `steps_per_epoch` times."""
        whole = self.batch("train")
        number = torch.arange(self.functions).repeat(self.steps_per_epoch)
        size = self.batch_size or self.functions

        def chosen(batch: tuple[Tensor, ...]) -> Batch:
            rows = batch[0] if size < self.functions else slice(None)  # all of them need no order
            points = whole.points[rows] if self.own_points else whole.points
            solution_BQ = None if whole.solution_BQ is None else whole.solution_BQ[rows]
            return Batch(whole.sensors_BM[rows], whole.source_BQ[rows], points, solution_BQ, whole.others_UM)

        return TensorLoader((number,), size, shuffle=size < self.functions, transform=chosen)

    def val_dataloader(self) -> TensorLoader:
        """Functions of their own on the whole grid."""
        return _whole(self.batch("val"))

    def test_dataloader(self) -> TensorLoader:
        """Functions of their own on the whole grid."""
        return _whole(self.batch("test"))

    def predict_dataloader(self) -> TensorLoader:
        """The test functions."""
        return self.test_dataloader()


def _whole(batch: Batch) -> TensorLoader:
    return TensorLoader((batch.sensors_BM,), len(batch.sensors_BM), transform=lambda _: batch)
