"""Whether a low loss can be believed: residuals at points that training did not choose, and where it is steep.

Legend: N points, M places, D coordinates, E equations.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from zoo.derivatives import JetSpace, derivatives_of
from zoo.reports import Section

if TYPE_CHECKING:
    from tasks.pde.task import PhysicsInformed

FEW, MANY = 2.0, 10.0  # held-out over training residual: fine up to the first, alarming from the second
STEEP = 30.0  # residual at the steepest places over the median
POINTS_A_CELL = 4  # on average: independent points leave 2 % of such cells empty


@dataclass(frozen=True)
class Findings:
    """Root mean square residuals, share of steep cells with points, residual at steep places over the median."""

    trained: float
    held_out: float
    covered: float
    steep: float

    @property
    def gap(self) -> float:
        """Held-out residual over the training one."""
        return self.held_out / max(self.trained, 1e-300)


def verdict(found: Findings) -> str:
    """The findings in words.

    >>> verdict(Findings(1e-6, 1.3e-6, 1.0, 2.0))[:58]
    'Passed: held-out residual 1.3 times the training one, fine'
    """
    gap = "fine" if found.gap <= FEW else "points are few" if found.gap <= MANY else (
        "points too few, or a layer that no point met")  # fmt: skip
    cover = "fine" if found.covered >= 0.5 else "the steep layer has hardly any"
    steep = "fine" if found.steep <= STEEP else "the equation is not met there"
    passed = found.gap <= MANY and found.covered >= 0.5 and found.steep <= STEEP
    return (
        f"{'Passed' if passed else 'Flagged'}: held-out residual {found.gap:.2g} times the training one, {gap}; "
        f"{100 * found.covered:.0f} % of the steepest tenth of the cells hold training points, {cover}; residual at "
        f"the steepest 1 % of the places {found.steep:.2g} times the median, {steep}."
    )


def steep_coverage(points_ND: Tensor, places_MD: Tensor, slope_M: Tensor) -> float:
    """Share of the steepest tenth of equal cells that hold points; a cell is as steep as its steepest place."""
    low_D, high_D = places_MD.amin(0), places_MD.amax(0)
    per_axis = max(1, int((len(points_ND) / POINTS_A_CELL) ** (1 / places_MD.shape[1])))

    def cell(x_KD: Tensor) -> Tensor:
        shares_KD = (x_KD - low_D) / (high_D - low_D)
        index_KD = (shares_KD * per_axis).long().clamp(0, per_axis - 1)
        return (index_KD * per_axis ** torch.arange(x_KD.shape[1])).sum(1)

    steepness_C = slope_M.new_full((per_axis ** places_MD.shape[1],), -1.0)
    steepness_C.scatter_reduce_(0, cell(places_MD), slope_M, "amax")
    seen = int((steepness_C >= 0).sum())
    steepest_K = steepness_C.topk(max(1, seen // 10)).indices
    return float(torch.isin(steepest_K, cell(points_ND)).double().mean())


def steep_residual(residual_M: Tensor, slope_M: Tensor) -> float:
    """Root mean square residual at the steepest 1 % of the places over the median residual."""
    steepest = slope_M.topk(max(1, len(slope_M) // 100)).indices
    return float(residual_M[steepest].square().mean().sqrt() / residual_M.median().clamp(min=1e-300))


def grid_slope(values_NK: Tensor, points_ND: Tensor, grid: tuple[int, ...]) -> Tensor:
    """[N]: length of the gradient of values on a grid, by differences, each coordinate over its range."""
    parts = np.gradient(values_NK.reshape(*grid, -1).numpy(), axis=tuple(range(len(grid))))
    parts = [part * (n - 1) for part, n in zip(parts if len(grid) > 1 else [parts], grid, strict=True)]
    return torch.from_numpy(np.sqrt(sum((part**2).sum(-1) for part in parts)).reshape(-1))


def mirrored(points_ND: Tensor, bounds: dict[str, tuple[float, float]], halved: tuple[str, ...]) -> Tensor:
    """The points and their mirror images: what is known of one half by symmetry is known of the other."""
    for letter in halved:
        column, other = list(bounds).index(letter), points_ND.clone()
        other[:, column] = sum(bounds[letter]) - other[:, column]
        points_ND = torch.cat([points_ND, other])
    return points_ND


def findings(task: "PhysicsInformed", trained_ND: Tensor, held_out_ND: Tensor) -> Findings:
    """The guard's numbers, for points of the last training batch and independent ones."""
    places_MD, slope_M = _steepness(task, held_out_ND)
    points_ND = mirrored(trained_ND, task.problem.bounds, task.net.halved)
    size_M = residual_sizes(task, places_MD)
    return Findings(
        float(residual_sizes(task, trained_ND).square().mean().sqrt()),
        float(residual_sizes(task, held_out_ND).square().mean().sqrt()),
        steep_coverage(points_ND.double(), places_MD, slope_M),
        steep_residual(size_M, slope_M),
    )


def residual_sizes(task: "PhysicsInformed", points_ND: Tensor) -> Tensor:
    """[N]: length of the equation's residual."""
    dtype = next(task.net.parameters()).dtype
    with torch.no_grad():
        parts = [task.residual_at(part.to(dtype)).norm(dim=1) for part in points_ND.split(4096)]
    return torch.cat(parts).double()


def _steepness(task: "PhysicsInformed", held_out_ND: Tensor) -> tuple[Tensor, Tensor]:
    reference = task.reference
    if reference is not None and reference.grid:
        return reference.points_ND, grid_slope(reference.values_NK.double(), reference.points_ND, reference.grid)
    letters = task.problem.coordinates
    points_ND = held_out_ND.to(next(task.net.parameters()).dtype)
    with torch.no_grad():
        u = derivatives_of(task.net, points_ND, JetSpace(letters, frozenset(letters)))
    widths = [high - low for low, high in task.problem.bounds.values()]
    slopes = [(u[c] * width).square().sum(1) for c, width in zip(letters, widths, strict=True)]
    return points_ND.double(), sum(slopes).sqrt().double()


def guard_sections(task: "PhysicsInformed", trained_ND: Tensor | None, unit_ND: Tensor) -> list[Section]:
    """The verdict; none for a run that took no step in this process."""
    if trained_ND is None:
        return []
    found = findings(task, trained_ND, task.problem.placed(unit_ND))
    data = {"trained": found.trained, "held_out": found.held_out, "covered": found.covered, "steep": found.steep}
    return [Section("Can the loss be believed?", verdict(found), [], data)]
