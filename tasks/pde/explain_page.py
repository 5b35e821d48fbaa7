"""The page of `zoo explain`: what a solution depends on, and how well it is determined.

Legend: R rows, M places, D coordinates, K observables, C changes.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tasks.pde.data import unit_points
from tasks.pde.sensitivity import Fit, constant_slopes, fit_of, initial_slopes, solution_jacobian
from zoo.derivatives import Jet, JetSpace, derivatives_of, jet_of
from zoo.errors import InputError
from zoo.reports import Figure, Section, Table, heat_map, line_chart

if TYPE_CHECKING:
    from tasks.pde.task import PhysicsInformed

MOST_ROWS, MOST_COLUMNS = 40, 60  # of a map
BUMPS = 20  # places of the initial value that are perturbed


def explanation(task: "PhysicsInformed", at: str = "") -> list[Section]:
    """Constants, initial value, error bars and slopes; `at` names a point, by default the middle of the domain."""
    point_1D = point_of(at, task.problem.bounds).to(next(task.net.parameters()).dtype)
    count = max(1000, 2 * sum(p.numel() for p in task.net.parameters()))
    points = task.placed(unit_points(count, "sobol", -2))
    fit = fit_of(task, points)
    sections = [*_constants(task, fit, points, point_1D), *_initial_value(task, fit, points, point_1D)]
    return [*sections, *_error_bars(task, fit), *_slopes(task)]


def point_of(text: str, bounds: dict[str, tuple[float, float]]) -> Tensor:
    """[1, D] from "t=0.5,x=0.2"; a coordinate that is not named is in the middle of its range.

    Raises:
        InputError: another form, letter or place.

    >>> point_of("x=0.2", {"t": (0.0, 1.0), "x": (0.0, 1.0)}).tolist()
    [[0.5, 0.2]]
    """
    place = {letter: (low + high) / 2 for letter, (low, high) in bounds.items()}
    for word in filter(None, text.split(",")):
        letter, _, value = (part.strip() for part in word.partition("="))
        try:
            place[letter] = float(value) if letter in bounds else float("nan")
            inside = bounds[letter][0] <= place[letter] <= bounds[letter][1]
        except (ValueError, KeyError):
            inside = False
        if not inside:
            ranges = ", ".join(f"{c} in {low:g}..{high:g}" for c, (low, high) in bounds.items())
            raise InputError(f"--at: expected {ranges} as letter=value with commas, got {word!r}; mend it")
    return torch.tensor([list(place.values())], dtype=torch.float64)


def _constants(task: "PhysicsInformed", fit: Fit, points: dict[str, Tensor], point_1D: Tensor) -> list[Section]:
    names = tuple(name for name in task.problem.constants if name not in task.net.unknown)  # those are the fit's
    if not names:
        return []
    slopes_RC = constant_slopes(task, points, names)
    at_KC = fit.response(slopes_RC, solution_jacobian(task, point_1D))
    rows = [[u, *at_KC[k].tolist()] for k, u in enumerate(task.problem.observables)]
    table = Table(["at the point", *(f"d / d {name}" for name in names)], rows)
    figures = [Figure(table.html(), table=table)]
    if (places := _Places.of(task)) is not None:
        found_MKC = fit.response(slopes_RC, solution_jacobian(task, places.points_MD)).unflatten(0, (-1, len(rows)))
        for k, u in enumerate(task.problem.observables):
            figures += [places.drawn(found_MKC[:, k, c], f"d {u} / d {name}") for c, name in enumerate(names)]
    lead = (
        f"By how much the solution changes with a constant, to first order, at {_said(task, point_1D)} and over the "
        "domain. Conditions that are built in are held, even where they would depend on the constant."
    )
    return [Section("What the constants do", lead, figures)]


def _initial_value(task: "PhysicsInformed", fit: Fit, points: dict[str, Tensor], point_1D: Tensor) -> list[Section]:
    letters = task.problem.coordinates
    if len(letters) != 2 or letters[0] != "t":
        return []
    centres, found = influence(task, fit, points, point_1D)
    lines = {"influence": (centres, found)}
    lead = (
        f"By how much {task.problem.observables[0]} at {_said(task, point_1D)} changes with the initial value of "
        f"{task.problem.fields[0]} at each place: the answer to narrow bumps, over their area."
    )
    if letters[1] in task.net.symmetry:
        lead += " The net is symmetric: a bump comes with its mirror image."
    return [Section("What the initial value does", lead, [line_chart(lines, letters[1], "d u / d u0")])]


def influence(
    task: "PhysicsInformed", fit: Fit, points: dict[str, Tensor], point_1D: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Places of the initial value, and d u(point) / d of it there: the answer to a narrow bump, over its area."""
    letter = task.problem.coordinates[1]
    low, high = task.problem.bounds[letter]
    width = (high - low) / 30
    centres = np.linspace(low + 2 * width, high - 2 * width, BUMPS)
    field_K = torch.eye(len(task.problem.fields), dtype=point_1D.dtype)[0]
    shapes = [bump(centre, width, low, high, letter in task.net.periodic) for centre in centres]
    modes = [_mode(task, shape, field_K) for shape in shapes]
    slopes_RC, built_in = initial_slopes(task, points, modes)
    found_C = fit.response(slopes_RC, solution_jacobian(task, point_1D))[0]
    if built_in:
        at = jet_of(point_1D, JetSpace(task.problem.coordinates, frozenset()))
        found_C = found_C + torch.stack([mode(at)[""][0, 0] for mode in modes])
    x_N = torch.linspace(low, high, 2001, dtype=point_1D.dtype)
    areas_C = torch.stack([torch.trapezoid(shape(x_N), x_N) for shape in shapes])
    return centres, (found_C / areas_C).numpy()


def bump(centre: float, width: float, low: float, high: float, periodic: bool) -> Callable[[Any], Any]:
    """exp(-((x - centre) / width)^2 / 2), less its images behind both ends, where it is zero; or its periodic kin."""
    if periodic:
        wave = 2 * np.pi / (high - low)
        return lambda x: torch.exp((torch.cos((x - centre) * wave) - 1) * (1 / (wave * width) ** 2))

    def hill(x: Any, place: float) -> Any:
        scaled = (x - place) * (1 / width)
        return torch.exp(scaled * scaled * -0.5)

    return lambda x: hill(x, centre) - hill(x, 2 * low - centre) - hill(x, 2 * high - centre)


def _mode(task: "PhysicsInformed", shape: Callable[[Jet], Jet], field_K: Tensor) -> Callable[[Jet], Any]:
    letter = task.problem.coordinates[1]
    kind, ends = task.net.symmetry.get(letter), sum(task.problem.bounds[letter])

    def mode(x: Jet) -> Any:
        own = shape(x[..., 1:2])
        if kind:
            other = shape(-x[..., 1:2] + ends)
            own = own - other if kind == "odd" else own + other
        return own * field_K

    return mode


def _error_bars(task: "PhysicsInformed", fit: Fit) -> list[Section]:
    if (places := _Places.of(task)) is None:
        return []
    names = task.problem.observables
    bars_MK = fit.deviation(solution_jacobian(task, places.points_MD)).unflatten(0, (-1, len(names)))
    error_MK = (task.solution_at(places.points_MD).double() - places.expected_MK).abs()
    figures = []
    for k, u in enumerate(names):
        figures.append(places.drawn(bars_MK[:, k], f"Standard deviation of {u}", True))
        figures.append(places.drawn(error_MK[:, k], f"True error of {u}, against the reference", True))
    covered = float((error_MK <= 2 * bars_MK).double().mean())
    lead = (
        "Error bars from the residuals that are left, taken for independent noise on the equation (Laplace "
        "approximation with the Gauss-Newton matrix). They cover what the equation leaves open to this net; not what "
        "the net cannot express, nor residuals that push one way, nor a wrong equation. Two standard deviations hold "
        f"the true error at {100 * covered:.0f} % of the places."
    )
    return [Section("Error bars", lead, figures, {"covered": covered})]


def _slopes(task: "PhysicsInformed") -> list[Section]:
    if (places := _Places.of(task)) is None:
        return []
    letters = task.problem.coordinates
    with torch.no_grad():
        u = derivatives_of(task.net, places.points_MD, JetSpace(letters, frozenset(letters)))
    fields = enumerate(task.problem.fields)
    figures = [places.drawn(u[c][:, k], f"d {name} / d {c}") for k, name in fields for c in letters]
    return [Section("Slopes", "Derivatives of the solution to its coordinates.", figures)]


class _Places:
    """A part of the reference's grid that is small enough for a Jacobian."""

    def __init__(self, task: "PhysicsInformed"):
        reference, self.letters = task.reference, task.problem.coordinates
        steps = [-(-n // most) for n, most in zip(reference.grid, (MOST_ROWS, MOST_COLUMNS), strict=True)]
        points = reference.points_ND.unflatten(0, reference.grid)[:: steps[0], :: steps[1]]
        values = reference.values_NK.unflatten(0, reference.grid)[:: steps[0], :: steps[1]]
        self.points_MD = points.flatten(0, 1).to(next(task.net.parameters()).dtype)
        self.expected_MK, self._grid = values.flatten(0, 1).double(), points.shape[:2]
        self._rows, self._columns = ([f"{v:.2f}" for v in ends] for ends in (points[:, 0, 0], points[0, :, 1]))

    @classmethod
    def of(cls, task: "PhysicsInformed") -> "_Places | None":
        """None where the reference is on no grid of two coordinates."""
        return cls(task) if len(task.reference.grid) == 2 else None

    def drawn(self, values_M: Tensor, caption: str, log: bool = False) -> Figure:
        """A map, the first coordinate down and the second across."""
        grid = values_M.detach().double().reshape(self._grid).numpy()
        caption = f"{caption}; {self.letters[0]} down, {self.letters[1]} across."
        return heat_map(grid, self._rows, self._columns, log, self.letters[1], caption)


def _said(task: "PhysicsInformed", point_1D: Tensor) -> str:
    return ", ".join(f"{c} = {v:g}" for c, v in zip(task.problem.coordinates, point_1D[0].tolist(), strict=True))
