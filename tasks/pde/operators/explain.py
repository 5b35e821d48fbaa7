"""Pictures of an operator: its answers beside the solver's, and what they depend on.

Legend: B = functions, M = sensors, K = bumps, Q = points, D = coordinates, G = points of the grid.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tasks.pde.operators.ansatz import OperatorAnsatz, combined
from tasks.pde.operators.chebyshev import chebyshev_nodes
from tasks.pde.operators.losses import relative_l2
from tasks.pde.operators.problems import OperatorProblem
from tasks.pde.operators.random_fields import Functions
from zoo.reports import Figure, Section, heat_map, line_chart

if TYPE_CHECKING:
    from tasks.pde.operators.data import OperatorData
    from tasks.pde.operators.task import OperatorLearning

BUMPS = 21


def sensitivity(net: OperatorAnsatz, sensors_M: Tensor, points_QD: Tensor, directions_KM: Tensor) -> Tensor:
    """d G(u + e direction)(y) / de at e = 0, [K, Q].

    One gradient of the branch for every term; the trunk has no part in it, and the lift is linear in the input.
    """
    jacobian_PM = torch.func.jacrev(lambda changed_M: net.net.branch(changed_M[None])[0])(sensors_M)
    with torch.no_grad():
        changes = combined(directions_KM @ jacobian_PM.t(), net.trunk_terms(points_QD, net.problem.values))
        return (changes + net.lift(directions_KM, points_QD, net.problem.values))[0]


def solver_sensitivity(
    problem: OperatorProblem, inputs: Functions, directions: Functions, sizes: list[int], step: float = 1e-3
) -> Tensor:
    """The same of the problem's own solver for one function, by central differences: [K, G]."""
    up, down = (
        problem.solution(Functions(inputs.values_BN + sign * step * directions.values_BN), sizes) for sign in (1, -1)
    )
    return (up - down) / (2 * step)


def bumps(count: int, nodes: int, length_scale: float) -> Functions:
    """Gaussians of the field's own width at equidistant places: changes of the input that the field might have made."""
    centres = torch.linspace(0, 1, count, dtype=torch.float64)
    return Functions(torch.exp(-((chebyshev_nodes(nodes) - centres[:, None]) ** 2) / (2 * length_scale**2)))


def answer_sections(task: "OperatorLearning", data: "OperatorData") -> list[Section]:
    """The answers for the median and the worst function of the test set."""
    found_BG, expected_BG, order = _answers(task, data)
    error_B = relative_l2(found_BG, expected_BG)
    sections = []
    for name, place in (("median", len(order) // 2), ("worst", len(order) - 1)):
        b = int(order[place])
        x = np.linspace(0, 1, data.sensors)
        figures = [line_chart({"u": (x, data.batch("test").sensors_BM[b].numpy())}, "x", "u", caption="The input.")]
        figures += _pictures(data, found_BG[b], expected_BG[b])
        lead = (
            f"Relative l2 error {float(error_B[b]):.2e}, the {name} of {len(order)} test functions; the solver "
            f"itself is good to {task.problem.solution_error:.0e}."
        )
        sections.append(Section(f"Answer for the {name} function", lead, figures))
    return sections


def sensitivity_sections(task: "OperatorLearning", data: "OperatorData", count: int = 1) -> list[Section]:
    """How the answers for `count` functions, the median first, change with the input, beside the solver's."""
    _, _, order = _answers(task, data)
    middle = len(order) // 2
    return [_sensitivity_section(task, data, int(b)) for b in order[middle : middle + count]]


def _sensitivity_section(task: "OperatorLearning", data: "OperatorData", b: int) -> Section:
    inputs = Functions(data.inputs("test").values_BN[b : b + 1])
    directions = bumps(BUMPS, inputs.values_BN.shape[1], data.length_scale)
    dtype = next(task.net.parameters()).dtype
    last_QD = data.grid_GD[-data.grid[-1] :]  # the last time, where there is time
    found_KQ = sensitivity(
        task.net, data.at_sensors(inputs)[0].to(dtype), last_QD.to(dtype), data.at_sensors(directions).to(dtype)
    ).double()
    expected_KQ = solver_sensitivity(task.problem, inputs, directions, data.grid)[:, -data.grid[-1] :]
    error = float((found_KQ - expected_KQ).norm() / expected_KQ.norm())
    rows = [f"{centre:.2f}" for centre in np.linspace(0, 1, BUMPS)]
    columns = [f"{x:.2f}" for x in last_QD[:, -1].tolist()]
    when = " at the last time" if len(data.grid) > 1 else ""
    figures = [
        heat_map(found_KQ.numpy(), rows, columns, False, "x", "Of the net, by its gradient to the sensors."),
        heat_map(
            floored((found_KQ - expected_KQ).abs().numpy()),
            rows,
            columns,
            True,
            "x",
            "Distance to the solver's, from 1e-4 of the largest upwards.",
        ),
    ]
    lead = (
        f"Change of the answer for test function {b}{when}, a unit of a bump added to its input: bump's place down, "
        f"the answer's place across. Relative l2 distance to central differences of the solver: {error:.1e}."
    )
    return Section("What the answer depends on", lead, figures)


def _answers(task: "OperatorLearning", data: "OperatorData") -> tuple[Tensor, Tensor, Tensor]:
    data.setup("test")
    batch = data.batch("test")
    found_BG = task.predict_step(batch, 0)["solutions"].double()
    return found_BG, batch.solution_BQ, relative_l2(found_BG, batch.solution_BQ).argsort()


def _pictures(data: "OperatorData", found_G: Tensor, expected_G: Tensor) -> list[Figure]:
    last = np.linspace(0, 1, data.grid[-1])
    found, expected, error = (v.reshape(data.grid).numpy() for v in (found_G, expected_G, (found_G - expected_G).abs()))
    if len(data.grid) == 1:
        answer = line_chart({"answer": (last, found), "solver": (last, expected)}, "x", "s", caption="The answer.")
        return [answer, line_chart({"error": (last, error)}, "x", "error", log_y=True, caption="Its error.")]
    rows = [f"{t:.2f}" for t in np.linspace(0, 1, data.grid[0])]
    every = -(-len(rows) // 12)
    rows = [row if i % every == 0 else "" for i, row in enumerate(rows)]
    columns = [f"{x:.2f}" for x in last]
    return [
        heat_map(found, rows, columns, False, "x", "The answer; t down."),
        heat_map(floored(error), rows, columns, True, "x", "Its error, from 1e-4 of the largest upwards."),
    ]


def floored(values: np.ndarray) -> np.ndarray:
    """What is below 1e-4 of the largest lifted to that: a zero held exactly would use up the scale of colours."""
    return np.maximum(values, 1e-4 * values.max())
