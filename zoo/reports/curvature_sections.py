"""The curvature of a run as sections of a page. Numbers in, pictures out.

Legend: G = points of the spectrum's grid, A, B = distances of a landscape.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.reports.figure import Figure, Section, Table
from zoo.reports.heat_map import heat_map
from zoo.reports.line_chart import line_chart

Row = tuple[str, float, float]  # what, value, error


def eigenvalue_section(rows: Sequence[Row], refused: str = "") -> Section:
    """Eigenvalues with the half widths of their intervals; what had no certificate is said and not shown."""
    lead = (
        "An eigenvalue lies within value +- residual, whatever the matrix is; a gradient step is stable along a "
        "direction up to a learning rate of 2 / eigenvalue. A clearly negative one is a saddle."
    )
    table = Table(["eigenvalue", "value", "+- residual", "2 / value"], [[*row, _rate(row[1])] for row in rows])
    return Section("Extreme eigenvalues", f"{lead} {refused}".strip(), [Figure(table.html(), "", table)])


def density_section(grid_G: np.ndarray, density_G: np.ndarray, error_G: np.ndarray, negative: float) -> Section:
    """The spectrum as a density, logarithmic, with its standard error."""
    floor = density_G.max() * 1e-8
    low, high = np.maximum(density_G - error_G, floor), np.maximum(density_G + error_G, floor)
    lead = (
        "Share of the eigenvalues by size, by stochastic Lanczos quadrature; the band is one standard error. Most "
        f"directions are flat; {100 * negative:.2g} % of the eigenvalues are clearly below zero."
    )
    lines = {"density": (grid_G, np.maximum(density_G, floor))}
    figure = line_chart(lines, "eigenvalue", "density", True, bands={"density": (low, high)})
    return Section("Spectral density", lead, [figure])


def numbers_section(title: str, lead: str, rows: Sequence[Row]) -> Section:
    """Numbers with their errors; NaN where there is none."""
    table = Table(["quantity", "value", "standard error"], [list(row) for row in rows])
    return Section(title, lead, [Figure(table.html(), "", table)])


def path_section(distances_A: np.ndarray, losses_A: np.ndarray) -> Section:
    """The loss on the straight line from the start of training to its end, and beyond."""
    lead = "0 is the net before training, 1 the trained one; a hump between is a barrier that training went round."
    lines = {"loss": (distances_A, losses_A)}
    return Section("Along the path", lead, [line_chart(lines, "share of the way", "loss", bool((losses_A > 0).all()))])


def plane_section(distances_A: np.ndarray, losses_AB: np.ndarray) -> Section:
    """The loss around the trained net along two random filter-normalised directions."""
    lead = (
        "Two random directions, every filter as long as the net's own (Li et al. 2018): at distance 1 each filter has "
        "moved by its own length. Wide basins are flat minima; the picture is of two directions out of millions."
    )
    labels = [f"{distance:.2g}" for distance in distances_A]
    figure = heat_map(losses_AB, labels, labels, bool((losses_AB > 0).all()), "distance along the second direction")
    return Section("Across: a filter-normalised plane", lead, [figure])


def _rate(value: float) -> Any:
    return 2 / value if value > 0 else float("nan")
