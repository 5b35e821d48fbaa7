"""The page of `zoo explain`: what a solution depends on, and how well it is determined.

Legend: R rows, M places, D coordinates, K observables, C changes.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tasks.pde.data import unit_points
from tasks.pde.raster import Raster
from tasks.pde.sensitivity import Fit, constant_slopes, fit_of, initial_slopes, solution_jacobian
from zoo.derivatives import Jet, JetSpace, derivatives_of, jet_of
from zoo.errors import InputError
from zoo.reports import Figure, Section, Table, line_chart

if TYPE_CHECKING:
    from tasks.pde.task import PhysicsInformed

MOST = (40, 60)  # places of a map, few enough for a Jacobian
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
    if (places := _places(task)) is not None:
        found_MKC = fit.response(slopes_RC, solution_jacobian(task, places.points_N2)).unflatten(0, (-1, len(rows)))
        for k, u in enumerate(task.problem.observables):
            figures += [
                places.drawn(found_MKC[:, k, c], _caption(places, f"d {u} / d {name}")) for c, name in enumerate(names)
            ]
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
    if (places := _places(task)) is None:
        return []
    names = task.problem.observables
    bars_MK = fit.deviation(solution_jacobian(task, places.points_N2)).unflatten(0, (-1, len(names)))
    figures = [
        places.drawn(bars_MK[:, k], _caption(places, f"Standard deviation of {u}"), True) for k, u in enumerate(names)
    ]
    lead = (
        "Error bars from the residuals that are left, taken for independent noise on the equation (Laplace "
        "approximation with the Gauss-Newton matrix). They cover what the equation leaves open to this net; not what "
        "the net cannot express, nor residuals that push one way, nor a wrong equation."
    )
    if places.expected_NK is None:
        return [Section("Error bars", lead, figures)]
    error_MK = (task.solution_at(places.points_N2).double() - places.expected_NK).abs()
    captions = [_caption(places, f"True error of {u}, against the reference") for u in names]
    figures += [places.drawn(error_MK[:, k], caption, True) for k, caption in enumerate(captions)]
    covered = float((error_MK <= 2 * bars_MK).double().mean())
    lead += f" Two standard deviations hold the true error at {100 * covered:.0f} % of the places."
    return [Section("Error bars", lead, figures, {"covered": covered})]


def _caption(places: Raster, words: str) -> str:
    return f"{words}; {places.reading}."


def _slopes(task: "PhysicsInformed") -> list[Section]:
    if (places := _places(task)) is None:
        return []
    letters = task.problem.coordinates
    with torch.no_grad():
        u = derivatives_of(task.net, places.points_N2, JetSpace(letters, frozenset(letters)))
    fields = enumerate(task.problem.fields)
    figures = [places.drawn(u[c][:, k], _caption(places, f"d {name} / d {c}")) for k, name in fields for c in letters]
    return [Section("Slopes", "Derivatives of the solution to its coordinates.", figures)]


def _places(task: "PhysicsInformed") -> Raster | None:
    raster = Raster.of(task)
    return raster.thinned(MOST) if raster else None


def _said(task: "PhysicsInformed", point_1D: Tensor) -> str:
    return ", ".join(f"{c} = {v:g}" for c, v in zip(task.problem.coordinates, point_1D[0].tolist(), strict=True))
