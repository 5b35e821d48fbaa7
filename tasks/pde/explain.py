"""Pictures of a solution: the field, its error against the reference, and where the equation is not met."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from zoo.reports import Figure, Section, Table, heat_map, line_chart

if TYPE_CHECKING:
    from tasks.pde.task import PhysicsInformed


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
    """For problems of two coordinates three maps and a few cuts, of one a curve; for others the figures alone."""
    reference = task.reference
    if len(reference.grid) == 1:
        return _curves(task)
    if len(reference.grid) != 2:
        return []
    found_NK = task.solution_at(reference.points_ND).double()
    dtype = next(task.net.parameters()).dtype
    with torch.no_grad():
        parts = [task.residual_at(part.to(dtype)) for part in reference.points_ND.split(4096)]
    residual_N = torch.cat(parts).abs().sum(1)
    rows, columns = _labels(task)
    sections = []
    for k, name in enumerate(task.problem.observables):
        expected_N, found_N = reference.values_NK[:, k], found_NK[:, k]
        error_N = (found_N - expected_N).abs()
        lead = (
            f"{name} over {task.problem.coordinates[0]} (down) and {task.problem.coordinates[1]} (across). Largest "
            f"error {float(error_N.max()):.2e}; the reference itself is good to {reference.error:.0e} (relative l2)."
        )
        maps = [
            heat_map(
                _grid(found_N, reference.grid), rows, columns, False, task.problem.coordinates[1], "The solution."
            ),
            heat_map(_grid(error_N, reference.grid), rows, columns, True, task.problem.coordinates[1], "Its error."),
        ]
        sections.append(Section(f"Solution {name}", lead, [*maps, _cuts(task, name, found_N, expected_N)]))
    lead = (
        "Absolute residual of the equation on the reference's grid, points that training did not choose. A residual "
        "that is small everywhere but in a thin layer is the sign of a low loss with a wrong answer."
    )
    figure = heat_map(_grid(residual_N, reference.grid), rows, columns, True, task.problem.coordinates[1])
    return [*sections, Section("Residual", lead, [figure])]


def _curves(task: "PhysicsInformed") -> list[Section]:
    reference, (letter,) = task.reference, task.problem.coordinates
    places, found_NK = reference.points_ND[:, 0].numpy(), task.solution_at(reference.points_ND).double()
    sections = []
    for k, name in enumerate(task.problem.observables):
        expected_N, found_N = reference.values_NK[:, k], found_NK[:, k]
        lead = (
            f"{name} over {letter}. Largest error {float((found_N - expected_N).abs().max()):.2e}; the reference "
            f"itself is good to {reference.error:.0e} (relative l2)."
        )
        lines = {name: (places, found_N.numpy()), f"{name}, reference": (places, expected_N.numpy())}
        figure = line_chart(lines, letter, name, caption="A reference that is met is covered.")
        sections.append(Section(f"Solution {name}", lead, [figure]))
    return sections


def _cuts(task: "PhysicsInformed", name: str, found_N: torch.Tensor, expected_N: torch.Tensor):
    first, second = (np.linspace(*task.problem.bounds[c], n) for c, n in _axes(task))
    found, expected = _grid(found_N, task.reference.grid), _grid(expected_N, task.reference.grid)
    lines = {}
    for share in (0.25, 0.5, 1.0):
        row = round(share * (len(first) - 1))
        label = f"{task.problem.coordinates[0]} = {first[row]:.2f}"
        lines[label] = (second, found[row])
        lines[f"{label}, reference"] = (second, expected[row])
    return line_chart(lines, task.problem.coordinates[1], name, caption="Cuts; a reference that is met is covered.")


def _axes(task: "PhysicsInformed") -> list[tuple[str, int]]:
    return list(zip(task.problem.coordinates, task.reference.grid, strict=True))


def _labels(task: "PhysicsInformed") -> tuple[list[str], list[str]]:
    rows, columns = ([f"{v:.2f}" for v in np.linspace(*task.problem.bounds[c], n)] for c, n in _axes(task))
    every = -(-len(rows) // 12)  # a dozen labels; the others would only crowd
    return [row if i % every == 0 else "" for i, row in enumerate(rows)], columns


def _grid(values_N: torch.Tensor, grid: tuple[int, ...]) -> np.ndarray:
    return values_N.reshape(grid).numpy()
