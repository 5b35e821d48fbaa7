"""Which points of a batch a step uses: where the residual is large, where the fit hangs on it, the times that are due.

Nothing here has a state: every choice is a function of the batch, the parameters and the step, so that a resumed run
makes the same ones.

Legend: N = candidates, D = coordinates, E = equations.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.derivatives import residual_jacobian
from zoo.errors import InputError
from zoo.probes import ridge_leverage_scores


def adaptive_probabilities(sizes_N: Tensor, power: float, floor: float) -> Tensor:
    """[N]: p ~ size^power / mean(size^power) + floor; uniform where all sizes are zero.

    >>> adaptive_probabilities(torch.tensor([0.0, 2.0]), 1.0, 1.0).tolist()
    [0.25, 0.75]
    """
    sizes_N = sizes_N.double() ** power
    ratios_N = sizes_N / sizes_N.mean().clamp(min=torch.finfo(torch.float64).tiny) + floor
    return ratios_N / ratios_N.sum() if bool(ratios_N.any()) else torch.full_like(ratios_N, 1 / len(ratios_N))


def generator_of(unit_ND: Tensor) -> torch.Generator:
    """Random numbers that depend on a batch's own numbers alone."""
    bits = int(unit_ND.double().cpu().contiguous().view(torch.int64).sum())  # wraps; every bit counts
    return torch.Generator().manual_seed(bits % 2**62)


class Adaptive(ABC):
    """Of the candidates that a batch is, keep a share, drawn without replacement with p ~ size^power / mean + floor.

    `data.points` are the candidates; which of them are wanted is looked at anew every step.

    Args:
        keep: share of the candidates.
        power: of the sizes; larger ones crowd the points more.
        floor: larger ones spread them.

    Raises:
        InputError: a number out of its range.
    """

    def __init__(self, keep: float = 0.25, power: float = 1.0, floor: float = 1.0):
        if not 0 < keep < 1 or power <= 0 or floor < 0:
            raise InputError(
                "model.sampling: expected keep between 0 and 1, power above 0 and floor of 0 or more, got "
                f"{keep}, {power} and {floor}; mend the recipe"
            )
        self.keep, self.power, self.floor = keep, power, floor

    @abstractmethod
    def sizes(self, rows: Callable[[], Tensor], parameters: Sequence[Tensor]) -> Tensor:
        """[N], 0 or more: how much each candidate is wanted.

        Args:
            rows: computes the candidates' residuals [N, E].
            parameters: those that are trained.
        """

    def count(self, candidates: int) -> int:
        """How many are kept."""
        return max(1, round(self.keep * candidates))

    def chosen(self, rows: Callable[[], Tensor], parameters: Sequence[Tensor], unit_ND: Tensor) -> Tensor:
        """Indices of the candidates that are kept; arguments of `sizes`, and the batch that they come from."""
        sizes_N = self.sizes(rows, parameters)
        if not bool(sizes_N.isfinite().all()):
            raise InputError(
                "equation: expected finite residuals, got NaN or infinity; mend the equation, or learn more slowly"
            )
        # With a floor of zero a candidate of zero probability may have to fill up.
        probabilities_N = adaptive_probabilities(sizes_N, self.power, self.floor).cpu().clamp(min=1e-12)
        drawn = torch.multinomial(probabilities_N, self.count(len(sizes_N)), generator=generator_of(unit_ND))
        return drawn.sort().values.to(sizes_N.device)


class ResidualAdaptive(Adaptive):
    """Candidates by the size of their residuals, which cost one evaluation; arguments of `Adaptive`.

    RAD of Wu, Zhu, Tan, Kartha and Lu (2023), with its k and c, at every step in place of every thousand.
    """

    def sizes(self, rows: Callable[[], Tensor], parameters: Sequence[Tensor]) -> Tensor:
        """[N]: |r|."""
        with torch.no_grad():
            return rows().norm(dim=1)


class LeverageAdaptive(Adaptive):
    """Candidates by the leverage of their residuals' Jacobian: those without which the fit would be another one.

    The leverages of a point's equations are added up. Drawn by them, about P log P points fit P parameters linearly
    as well as all candidates do, where uniform points can miss a direction that few of them see (Drineas, Mahoney and
    Muthukrishnan 2006; Cohen and Migliorati 2017). The rows are not weighed by 1 / p: the mean square is that of the
    drawn points, as with `ResidualAdaptive`. It costs the Jacobian of all candidates and a factorisation of its J'J.

    Args:
        keep: share of the candidates.
        power: of the scores.
        floor: larger ones spread the points; 0 draws by leverage alone.
        ridge: directions below this share of the trace of J'J count less.

    Raises:
        InputError: a number out of its range.
    """

    def __init__(self, keep: float = 0.25, power: float = 1.0, floor: float = 0.1, ridge: float = 1e-9):
        super().__init__(keep, power, floor)
        if ridge <= 0:
            raise InputError(f"model.sampling.ridge: expected more than 0, got {ridge}; 1e-9 is the default")
        self.ridge = ridge

    def sizes(self, rows: Callable[[], Tensor], parameters: Sequence[Tensor]) -> Tensor:
        """[N]: leverage scores."""
        rows_NE, jacobian_RP = residual_jacobian(rows, parameters)
        return ridge_leverage_scores(jacobian_RP, self.ridge).view(len(rows_NE), -1).sum(1)


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
