"""Points at which an equation is held: drawn anew as training goes on, from seed and step alone."""

from typing import Literal

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from zoo.data import TensorLoader
from zoo.errors import InputError

COLUMNS = 6  # of the unit cube; a problem uses as many as it has coordinates
Sampling = Literal["sobol", "uniform", "latin_hypercube"]


class Collocation(LightningDataModule):
    """Batches of points [points, 6] in the unit cube; the problem places them in its domain.

    A net held to the equation at the same points for long learns to be wrong between them, so every batch has new
    ones unless told otherwise.

    Args:
        points: in a batch.
        steps_per_epoch: batches that make an epoch; checkpoints and validation come at its end.
        resample_every: batches that share their points.
        sampling: scrambled Sobol points, independent ones, or a Latin hypercube.
        seed: of the points; by default the run's.

    Raises:
        InputError: a number below 1.
    """

    def __init__(
        self,
        points: int = 2000,
        steps_per_epoch: int = 50,
        resample_every: int = 1,
        sampling: Sampling = "sobol",
        seed: int | None = None,
    ):
        super().__init__()
        if min(points, steps_per_epoch, resample_every) < 1:
            raise InputError(
                "data: expected points, steps_per_epoch and resample_every of 1 or more, got "
                f"{points}, {steps_per_epoch} and {resample_every}; mend the recipe"
            )
        self.points, self.steps_per_epoch, self.resample_every = points, steps_per_epoch, resample_every
        self.sampling: Sampling = sampling
        self.seed = seed

    def setup(self, stage: str | None = None) -> None:
        """Nothing to load."""
        self.seed = torch.initial_seed() % 2**31 if self.seed is None else self.seed

    def train_dataloader(self) -> TensorLoader:
        """One epoch of batches; batch b of epoch e has points drawn from (seed, e, b)."""
        loader = TensorLoader((torch.arange(self.steps_per_epoch),), 1)

        def points_of(batch: tuple[Tensor, ...]) -> Tensor:
            number = (loader.sampler.epoch + loader.sampler.shift) * self.steps_per_epoch + int(batch[0])
            draw = number // self.resample_every
            return unit_points(self.points, self.sampling, self.seed * 1_000_003 + draw)

        loader.transform = points_of
        return loader

    def val_dataloader(self) -> TensorLoader:
        """One batch of points that training never sees."""
        unseen = unit_points(2 * self.points, "uniform", -1 - self.seed)
        return TensorLoader((unseen,), len(unseen), transform=lambda batch: batch[0])

    def test_dataloader(self) -> TensorLoader:
        """The same as for validation."""
        return self.val_dataloader()

    def predict_dataloader(self) -> TensorLoader:
        """One batch: the task predicts at its reference's points."""
        return self.val_dataloader()


def unit_points(points: int, sampling: Sampling, seed: int) -> Tensor:
    """[points, 6] in the unit cube, float64.

    >>> unit_points(4, "latin_hypercube", 0)[:, 0].mul(4).long().sort().values.tolist()
    [0, 1, 2, 3]
    """
    seed = seed % (2**62)
    if sampling == "sobol":
        engine = torch.quasirandom.SobolEngine(COLUMNS, scramble=True, seed=seed)
        return engine.draw(points, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    inside = torch.rand(points, COLUMNS, generator=generator, dtype=torch.float64)
    if sampling == "uniform":
        return inside
    order = torch.stack([torch.randperm(points, generator=generator) for _ in range(COLUMNS)], 1)
    return (order + inside) / points
