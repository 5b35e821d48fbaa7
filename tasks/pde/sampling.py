"""Which points of a batch a step uses: those where the residual is large, those of the times that are due.

Nothing here has a state: every choice is a function of the batch, the parameters and the step, so that a resumed run
makes the same ones.

Legend: N = candidates, D = coordinates, E = equations.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import InputError


def adaptive_probabilities(rows_NE: Tensor, power: float, floor: float) -> Tensor:
    """[N]: p ~ |r|^power / mean(|r|^power) + floor; uniform where all residuals are zero.

    >>> adaptive_probabilities(torch.tensor([[0.0], [2.0]]), 1.0, 1.0).tolist()
    [0.25, 0.75]
    """
    sizes_N = rows_NE.double().norm(dim=1) ** power
    ratios_N = sizes_N / sizes_N.mean().clamp(min=torch.finfo(torch.float64).tiny) + floor
    return ratios_N / ratios_N.sum() if bool(ratios_N.any()) else torch.full_like(ratios_N, 1 / len(ratios_N))


def generator_of(unit_ND: Tensor) -> torch.Generator:
    """Random numbers that depend on a batch's own numbers alone."""
    bits = int(unit_ND.double().cpu().contiguous().view(torch.int64).sum())  # wraps; every bit counts
    return torch.Generator().manual_seed(bits % 2**62)


@dataclass(frozen=True)
class ResidualAdaptive:
    """Of the candidates that a batch is, keep a share, drawn without replacement with p ~ |r|^power / mean + floor.

    RAD of Wu, Zhu, Tan, Kartha and Lu (2023), at every step in place of every thousand. `data.points` are the
    candidates; their residuals cost one evaluation.

    Args:
        keep: share of the candidates.
        power: k of the paper; larger ones crowd the points more.
        floor: c of the paper; larger ones spread them.

    Raises:
        InputError: a number out of its range.
    """

    keep: float = 0.25
    power: float = 1.0
    floor: float = 1.0

    def __post_init__(self):
        if not 0 < self.keep < 1 or self.power <= 0 or self.floor < 0:
            raise InputError(
                "model.sampling: expected keep between 0 and 1, power above 0 and floor of 0 or more, got "
                f"{self.keep}, {self.power} and {self.floor}; mend the recipe"
            )

    def count(self, candidates: int) -> int:
        """How many are kept."""
        return max(1, round(self.keep * candidates))

    def chosen(self, rows_NE: Tensor, unit_ND: Tensor) -> Tensor:
        """Indices of the candidates that are kept.

        Args:
            rows_NE: their residuals.
            unit_ND: the batch that they come from.
        """
        if not bool(rows_NE.isfinite().all()):
            raise InputError(
                "equation: expected finite residuals, got NaN or infinity; mend the equation, or learn more slowly"
            )
        # With a floor of zero a candidate of zero probability may have to fill up.
        probabilities_N = adaptive_probabilities(rows_NE, self.power, self.floor).cpu().clamp(min=1e-12)
        drawn = torch.multinomial(probabilities_N, self.count(len(rows_NE)), generator=generator_of(unit_ND))
        return drawn.sort().values.to(rows_NE.device)


@dataclass(frozen=True)
class TimeMarching:
    """Points are drawn from times up to an end that grows linearly with the steps, from a share of all time to all.

    One net for all times and a window that grows (Wight and Zhao 2021, section 3.2), not windows one after the other:
    an initial condition that is built in stays exact, no window inherits the former one's error, and there is no
    second net to save.

    Args:
        steps: until the window is all of time.
        start: share of the time at the first step.

    Raises:
        InputError: a number out of its range.
    """

    steps: int
    start: float = 0.1

    def __post_init__(self):
        if self.steps < 1 or not 0 < self.start <= 1:
            raise InputError(
                "model.marching: expected steps of 1 or more and a start above 0 and up to 1, got "
                f"{self.steps} and {self.start}; mend the recipe"
            )

    def share(self, step: int) -> float:
        """Of all time, at a step.

        >>> TimeMarching(10, 0.5).share(5)
        0.75
        """
        return min(1.0, self.start + (1 - self.start) * step / self.steps)

    def windowed(self, unit_ND: Tensor, column: int, step: int) -> Tensor:
        """A batch of the unit cube with its times in the window."""
        windowed_ND = unit_ND.clone()
        windowed_ND[:, column] *= self.share(step)
        return windowed_ND


def time_column(coordinates: tuple[str, ...], symmetric: tuple[str, ...]) -> int:
    """The column of t, for a window of time.

    Raises:
        InputError: there is no t, or points are drawn from its upper half.
    """
    if "t" not in coordinates or "t" in symmetric:
        got = "one without" if "t" not in coordinates else "a symmetry in t"
        raise InputError(f"model.marching: expected the coordinate t without symmetry, got {got}; leave it out")
    return coordinates.index("t")
