"""Pictures of a solution: the field, its error against the reference, and where the equation is not met."""

from typing import TYPE_CHECKING

from torch import Tensor

from tasks.pde.guard import residual_sizes
from tasks.pde.raster import Raster, labels
from tasks.pde.references import grid_of
from zoo.reports import Figure, Section, Table, line_chart

if TYPE_CHECKING:
    from tasks.pde.task import PhysicsInformed

CURVE = 201  # places of a curve without a reference
CUTS, INNER_CUTS = (0.25, 0.5, 1.0), (0.25, 0.5, 0.75)  # of time's range; of a range whose end is a wall
COVERED = "A reference that is met is covered."


def found_constants(task: "PhysicsInformed") -> list[Section]:
    """The constants that were sought, each with its 95 % confidence interval."""
    if not task.half_widths:
        return []
    found = {name: float(parameter.detach()) for name, parameter in task.net.unknown.items()}
    lines = [f"{name} = {found[name]:.8g} ± {width:.2g}" for name, width in task.half_widths.items()]
    table = Table(["constant", "found", "95 % ±"], [[n, found[n], w] for n, w in task.half_widths.items()])
    lead = (
        f"{'; '.join(lines)} (95 %). The intervals count the noise of the measurements, estimated from their misfit, "
        "and hold as far as the equation does; without noise they tell the net's own misfit."
    )
    return [Section("Constants", lead, [Figure(table.html(), table=table)])]


def solution_sections(task: "PhysicsInformed") -> list[Section]:
    """For problems of two coordinates maps and a few cuts, of one a curve; for others the figures alone."""
    unknown = [] if task.reference is not None else [Section("Error", error_said(task, 0), [])]
    if len(task.problem.coordinates) == 1:
        return [*unknown, *_curves(task)]
    raster = Raster.of(task)
    return [*unknown, *_maps(task, raster), _residual(task, raster)] if raster else unknown


def error_said(task: "PhysicsInformed", k: int) -> str:
    """How wrong an observable is against the reference."""
    reference = task.reference
    if reference is None:
        return f"Unknown: {type(task.problem).__name__} has no reference. Only the residual says how good this is."
    found_NK = task.solution_at(reference.points_ND).double()
    largest = float((found_NK - reference.values_NK)[:, k].abs().max())
    return f"Largest error {largest:.2e}; the reference itself is good to {reference.error:.0e} (relative l2)."


def _maps(task: "PhysicsInformed", raster: Raster) -> list[Section]:
    found_NK, expected_NK = task.solution_at(raster.points_N2).double(), raster.expected_NK
    sections = []
    for k, name in enumerate(task.problem.observables):
        figures = [raster.drawn(found_NK[:, k], "The solution.")]
        if expected_NK is not None:
            figures.append(raster.drawn((found_NK - expected_NK)[:, k].abs(), "Its error.", True))
        figures.append(_cuts(raster, name, found_NK[:, k], None if expected_NK is None else expected_NK[:, k]))
        lead = f"{name}; {raster.reading}." + (f" {error_said(task, k)}" if task.reference is not None else "")
        sections.append(Section(f"Solution {name}", lead, figures))
    return sections


def _residual(task: "PhysicsInformed", raster: Raster) -> Section:
    lead = (
        "Absolute residual of the equation on a grid, points that training did not choose. A residual that is small "
        f"everywhere but in a thin layer is the sign of a low loss with a wrong answer. {raster.reading}."
    )
    return Section("Residual", lead, [raster.drawn(residual_sizes(task, raster.points_N2), log=True)])


def _curves(task: "PhysicsInformed") -> list[Section]:
    (letter,), reference = task.problem.coordinates, task.reference
    points_N1 = grid_of(task.problem.bounds, (CURVE,))[0] if reference is None else reference.points_ND
    order_N = points_N1[:, 0].argsort()
    places, found_NK = points_N1[order_N, 0].numpy(), task.solution_at(points_N1[order_N]).double()
    sections = []
    for k, name in enumerate(task.problem.observables):
        lines, lead = {name: (places, found_NK[:, k].numpy())}, f"{name} over {letter}."
        if reference is not None:
            lines[f"{name}, reference"] = (places, reference.values_NK[order_N, k].numpy())
            lead += f" {error_said(task, k)}"
        caption = "" if reference is None else COVERED
        sections.append(Section(f"Solution {name}", lead, [line_chart(lines, letter, name, caption=caption)]))
    return sections


def _cuts(raster: Raster, name: str, found_N: Tensor, expected_N: Tensor | None) -> Figure:
    places, across = raster.axes[0], raster.axes[1].numpy()
    lines = {}
    for share in CUTS if "t" in raster.letters else INNER_CUTS:
        row = round(share * (len(places) - 1))
        label = f"{raster.letters[0]} = {labels(places)[row]}"
        lines[label] = (across, raster.grid(found_N)[row])
        if expected_N is not None:
            lines[f"{label}, reference"] = (across, raster.grid(expected_N)[row])
    caption = "Cuts." if expected_N is None else f"Cuts. {COVERED}"
    return line_chart(lines, raster.letters[1], name, caption=caption)
