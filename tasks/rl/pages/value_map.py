"""V over two of the observations, the others at their medians.

Legend: N = observations visited, D = numbers of an observation, R, C = rows and columns of the map.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from zoo.errors import InputError
from zoo.reports import Figure, heat_map
from zoo.reports.heat_map import plot_box

ROWS, COLUMNS, LABELS, DOTS = 36, 60, 9, 1000


def value_grid(
    value: Callable[[Tensor], Tensor], visited_ND: Tensor, down: int, across: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(V [R, C], values of observation `down` [R] from high to low, of `across` [C]) over the range of 98 % of visits.

    >>> grid, down, across = value_grid(lambda obs: obs[:, 0] - obs[:, 1], torch.rand(50, 2), 1, 0)
    >>> bool(np.allclose(grid, across[None] - down[:, None], atol=1e-6))
    True
    """
    low_D, high_D = visited_ND.quantile(torch.tensor([0.01, 0.99], dtype=visited_ND.dtype), 0)
    rows = torch.linspace(float(high_D[down]), float(low_D[down]), ROWS)
    columns = torch.linspace(float(low_D[across]), float(high_D[across]), COLUMNS)
    points_ND = visited_ND.median(0).values.repeat(ROWS * COLUMNS, 1)
    points_ND[:, down] = rows.repeat_interleave(COLUMNS).to(points_ND)
    points_ND[:, across] = columns.repeat(ROWS).to(points_ND)
    with torch.no_grad():
        values = value(points_ND).reshape(ROWS, COLUMNS)
    return values.double().numpy(), rows.numpy(), columns.numpy()


def value_map(
    value: Callable[[Tensor], Tensor], visited_ND: Tensor, path_TD: Tensor, names: list[str], pair: tuple[int, int]
) -> Figure:
    """The map with the states of one episode on it."""
    down, across = pair
    grid_RC, rows, columns = value_grid(value, visited_ND, down, across)
    every = -(-ROWS // LABELS)
    labels = [f"{names[down]} {v:.2g}" if i % every == 0 else "" for i, v in enumerate(rows)]
    caption = (
        f"V; down {names[down]}, across {names[across]}. Dots are the states of one greedy episode, the ring its start."
    )
    if len(names) > 2:
        caption += " The other observations stand at their medians, so the dots lie beside this plane."
    figure = heat_map(grid_RC, labels, [f"{v:.3g}" for v in columns], False, names[across], caption)
    left, top, width, height = plot_box(labels)
    x_T = left + width * (path_TD[:, across].numpy() - columns[0]) / ((columns[-1] - columns[0]) or 1)
    y_T = top + height * (rows[0] - path_TD[:, down].numpy()) / ((rows[0] - rows[-1]) or 1)
    x_T, y_T = np.clip(x_T, left, left + width), np.clip(y_T, top, top + height)
    every = -(-len(x_T) // DOTS)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.8"/>' for x, y in zip(x_T[::every], y_T[::every], strict=True)
    )
    path = (
        f'<g fill="#fff" fill-opacity="0.75">{dots}</g>'
        f'<circle cx="{x_T[0]:.1f}" cy="{y_T[0]:.1f}" r="4" fill="#fff" stroke="#111"/></svg>'
    )
    return Figure(figure.body.removesuffix("</svg>") + path, caption, figure.table)


def chosen_pair(choose: str, names: list[str]) -> tuple[int, int]:
    """Two observations by name or as o0, o1 ..., with a comma between them.

    Raises:
        InputError: not two that are there.

    >>> chosen_pair("velocity,o0", ["position", "velocity"])
    (1, 0)
    """
    places = {**{f"o{i}": i for i in range(len(names))}, **{name: i for i, name in enumerate(names)}}
    words = [word.strip() for word in choose.split(",")]
    if len(words) != 2 or words[0] == words[1] or not set(words) <= set(places):
        raise InputError(f"--choose: expected two of {', '.join(names)}, or of o0 to o{len(names) - 1}, got {choose!r}")
    return places[words[0]], places[words[1]]
