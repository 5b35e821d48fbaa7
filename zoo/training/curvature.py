"""Curvature of a run at its trained parameters, as a page: what `zoo curvature` does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from zoo.errors import InputError
from zoo.optim.fisher import fisher_products
from zoo.probes.curvature_products import (
    Losses,
    Product,
    gauss_newton_products,
    hessian_products,
    loss_and_gradient,
    start_vector,
)
from zoo.probes.lanczos import Unconverged, extreme_eigenvalues
from zoo.probes.landscape import filter_normalised, loss_line, loss_plane, path_between
from zoo.probes.sharpness import keskar_sharpness, sam_sharpness, worst_case_sharpness
from zoo.probes.spectral_density import spectral_density
from zoo.probes.trace import hutch_plus_plus
from zoo.reports import Section, write_report
from zoo.reports.curvature_sections import (
    Row,
    density_section,
    eigenvalue_section,
    numbers_section,
    path_section,
    plane_section,
)
from zoo.training.batch_parts import floating_parts
from zoo.training.captured import Captured, captured, loss_of
from zoo.training.checkpoints import AtomicCheckpointIO, read_checkpoint
from zoo.training.config_cli import make
from zoo.training.configuration import Tree, read_yaml
from zoo.training.linearised import residuals_of
from zoo.training.run_folder import open_run
from zoo.training.runs import folder_of, read_config
from zoo.training.task import TaskModule

NONE = float("nan")


@dataclass(frozen=True)
class CurvatureOptions:
    """What is computed of a run.

    Attributes:
        top: largest eigenvalues sought, each with a certificate.
        batches: of the training data; the loss is their mean.
        mode: "eval" for the net that predicts, "train" for batch norm's and dropout's training behaviour.
        grid: points a side of the landscape.
        radius: of the ball of SAM's sharpness.
    """

    top: int = 5
    batches: int = 2
    mode: str = "eval"
    grid: int = 15
    radius: float = 0.05

    def __post_init__(self):
        if min(self.top, self.batches) < 1 or self.grid < 3 or self.mode not in ("eval", "train"):
            raise InputError(
                "curvature: expected top and batches >= 1, grid >= 3, mode eval or train, got "
                f"{self.top}, {self.batches}, {self.grid}, {self.mode}; mend the command"
            )


@dataclass(frozen=True)
class Point:
    """The loss of a few batches around trained parameters."""

    task: TaskModule
    batches: list[Captured]
    losses: Losses
    params: dict[str, Tensor]
    initial: dict[str, Tensor]


def curvature(
    where: str,
    overrides: list[tuple[str, str]],
    options: CurvatureOptions,
    root: str = "runs",
    output: str | None = None,
) -> int:
    """Write curvature.html and curvature.json of a run.

    Args:
        where: run or checkpoint.
        overrides: keys and values that change the configuration.
        options: what is computed.
        root: folder of all runs.
        output: folder of the page; by default the run's.

    Raises:
        InputError: no such run, or a loss that has no second derivatives.
    """
    point = trained_point(where, overrides, options, root)
    sections, facts = curvature_sections(point, options)
    folder = Path(output) if output else folder_of(where, root)
    folder.mkdir(parents=True, exist_ok=True)
    subtitle = f"{type(point.task.net).__name__} in {options.mode} mode on {said_batches(point)}"
    page = write_report(folder, f"Curvature of {where}", subtitle, facts, sections, stem="curvature")
    for name, fact in facts.items():
        print(f"{name}: {fact}")
    print(f"page: {page}")
    return 0


def trained_point(where: str, overrides: list[tuple[str, str]], options: CurvatureOptions, root: str) -> Point:
    """The batches that training would have seen next, at the parameters it has reached."""
    tree, path = _run_of(where, root)
    checkpoint = read_checkpoint(path)
    on = {"max_epochs": checkpoint["epoch"] + 2, "max_steps": -1, "max_time": "null"}
    precision = "64-true" if tree.get("trainer", {}).get("precision") == "64-true" else "32-true"
    keys = [(f"trainer.{key}", str(value)) for key, value in {**on, "precision": precision}.items()]
    parts = make(tree, [*keys, *overrides])
    parts.trainer.precision_plugin.convert_module(parts.task)
    parts.trainer.strategy.checkpoint_io = AtomicCheckpointIO()
    initial = _trained(parts.task)
    batches = captured(parts, options.batches, path)
    batches = [one for one in batches if one.optimizer == 0]
    parts.task.train(options.mode == "train")
    for module in parts.task.net.modules():
        if getattr(module, "sparse", False) is True:  # sparse gradients have no second derivatives
            module.sparse = False
    losses = [loss_of(parts.task, one) for one in batches]
    return Point(parts.task, batches, losses[0] if len(losses) == 1 else losses, _trained(parts.task), initial)


def _trained(task: TaskModule) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in task.net.named_parameters() if p.requires_grad}


def _run_of(where: str, root: str) -> tuple[Tree, Path]:
    path = Path(where)
    if path.is_file():
        return read_config(read_checkpoint(path).get("config") or ""), path
    run = open_run(where, root)
    return read_yaml(run.config), run.checkpoints / "last.ckpt"


def said_batches(point: Point) -> str:
    """What is taken as the data, in words."""
    first = point.batches[0].batch
    sizes = ", ".join(f"{name} {list(part.shape)}" for name, part in list(floating_parts(first).items())[:3])
    fresh = "" if point.task.automatic_optimization else ", made by the trained net where the task makes its own data"
    return f"{len(point.batches)} x the next training batch ({sizes or type(first).__name__}{fresh})"


def curvature_sections(point: Point, options: CurvatureOptions) -> tuple[list[Section], dict[str, str]]:
    """Sections, and the leading figures in words."""
    losses, params = point.losses, point.params
    loss, gradient_P = loss_and_gradient(losses, params)
    product = hessian_products(losses, params)
    _refuse_once_differentiable(product, gradient_P)
    generator = torch.Generator().manual_seed(0)
    rows, refused = eigenvalue_rows(point, product, gradient_P, options.top, generator)
    trace = hutch_plus_plus(product, gradient_P, 30, generator)
    facts = {"loss": f"{float(loss):.4g}", "gradient norm": f"{float(gradient_P.norm()):.3g}"}
    ends = [row for row in rows if row[0].endswith(("largest 1", "smallest"))]
    facts |= {name: f"{value:.4g} +- {error:.1g}" for name, value, error in ends}
    facts["trace"] = f"{trace.value:.4g} +- {trace.standard_error:.1g}"
    sharp = sharpness_rows(losses, params, options.radius)
    facts |= {name: f"{value:.4g}" for name, value, _ in sharp[:2]}
    lead = "The trace is the sum of all eigenvalues, by Hutch++; divided by the number of parameters it is their mean."
    mean = (trace.value / len(gradient_P), trace.standard_error / len(gradient_P))
    sections = [
        eigenvalue_section(rows, refused),
        numbers_section("Trace", lead, [("trace", trace.value, trace.standard_error), ("mean eigenvalue", *mean)]),
        density_of(product, gradient_P, rows),
        numbers_section("Sharpness", SHARPNESS, sharp),
        *landscapes(point, options.grid, generator),
    ]
    return sections, facts


SHARPNESS = (
    "How much the loss rises nearby: by SAM's one step, in the worst case found in a ball (a lower bound), the same in "
    "a ball measured relative to every weight, which no rescaling of the net changes, and by Keskar et al. (2017) in "
    "per cent. The gradient's share says how much of it a mere slope would give."
)


def eigenvalue_rows(
    point: Point, product: Product, gradient_P: Tensor, top: int, generator: torch.Generator
) -> tuple[list[Row], str]:
    """Certified eigenvalues of the Hessian and, where the task has one, of the Fisher or Gauss-Newton matrix; and in
    words what was refused."""
    rows: list[Row] = []
    start_P = start_vector(gradient_P, generator)
    refused = []
    sought = [("Hessian", product, top, 0), ("Hessian", product, 0, 1), *_semidefinite(point)]
    for name, matrix, largest, smallest in sought:
        try:
            found = extreme_eigenvalues(matrix, start_P, largest, smallest, held=24 + top)
        except Unconverged as error:
            refused.append(f"{name}: refused, {error}")
            continue
        rows += [(f"{name}, largest {i}", one.value, one.residual) for i, one in enumerate(found.largest, 1)]
        rows += [(f"{name}, smallest", one.value, one.residual) for one in found.smallest]
    return rows, " ".join(refused)


def _semidefinite(point: Point) -> list[tuple[str, Product, int, int]]:
    task, batch, params = point.task, point.batches[0].batch, point.params
    trained = [p for p in task.net.parameters() if p.requires_grad]
    if type(task).divergence is not TaskModule.divergence:
        try:
            return [("Fisher, one batch", fisher_products(task.divergence(task.net, batch), trained), 1, 0)]
        except InputError:  # a task may have a divergence for some of its algorithms only
            return []
    if type(task).residuals is not TaskModule.residuals:
        outputs = _Residuals(task, batch)
        of = gauss_newton_products(outputs.at, lambda residuals_R: residuals_R.square().sum(), params)
        return [("Gauss-Newton, one batch", of, 1, 0)]
    return []


class _Residuals(nn.Module):
    """All residuals of a batch as a function of parameters."""

    def __init__(self, task: TaskModule, batch: Any):
        super().__init__()
        self.net, self._residuals, self._batch = task.net, task.residuals, batch

    def forward(self) -> Tensor:
        return residuals_of(self._residuals(self.net, self._batch))

    def at(self, params: dict[str, Tensor]) -> Tensor:
        """[R]."""
        return functional_call(self, {f"net.{name}": value for name, value in params.items()}, ())


def density_of(product: Product, like_P: Tensor, rows: list[Row]) -> Section:
    """The density over all that it reaches."""
    found = spectral_density(product, like_P, steps=min(24, len(like_P)), starts=3)
    low, high = float(found.nodes_SK.min()), float(found.nodes_SK.max())
    width = max((high - low) / 100, 1e-12)
    grid_G = torch.linspace(low - 5 * width, high + 5 * width, 300, dtype=torch.float64)
    density_G, error_G = found.on_grid(grid_G, width)
    return density_section(*(one.numpy() for one in (grid_G, density_G, error_G)), found.share(low - 1, -3 * width))


def sharpness_rows(losses: Losses, params: dict[str, Tensor], radius: float) -> list[Row]:
    """Kinds of sharpness; none has an error."""
    slope = float(loss_and_gradient(losses, params)[1].norm()) * radius
    ball, relative = f"|e| <= {radius:g}", f"|e / theta| <= {radius:g}"
    return [
        (f"SAM, {ball}", float(sam_sharpness(losses, params, radius)), NONE),
        (f"worst case, {ball}", float(worst_case_sharpness(losses, params, radius)), NONE),
        (f"the gradient's share of it, {ball}", slope, NONE),
        (f"SAM, {relative}", float(sam_sharpness(losses, params, radius, adaptive=True)), NONE),
        (f"worst case, {relative}", float(worst_case_sharpness(losses, params, radius, adaptive=True)), NONE),
        ("Keskar, epsilon 1e-3, %", float(keskar_sharpness(losses, params)), NONE),
    ]


def landscapes(point: Point, grid: int, generator: torch.Generator) -> list[Section]:
    """The loss along the way from the first parameters, and over a plane around the last ones."""
    along_A = np.linspace(-0.25, 1.25, 2 * grid + 1)
    path = loss_line(point.losses, point.initial, path_between(point.initial, point.params), along_A.tolist())
    across_A = np.linspace(-1, 1, grid)
    one_P, other_P = (filter_normalised(point.params, generator) for _ in range(2))
    plane = loss_plane(point.losses, point.params, one_P, other_P, across_A.tolist())
    return [path_section(along_A, path.double().numpy()), plane_section(across_A, plane.double().numpy())]


def _refuse_once_differentiable(product: Product, like_P: Tensor) -> None:
    try:
        product(like_P)
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:120]
        raise InputError(
            f"curvature: expected a loss with second derivatives, got one without ({reason}); replace the function "
            "that is once differentiable"
        ) from error
