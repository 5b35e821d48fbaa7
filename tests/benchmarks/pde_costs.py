"""What loss and gradient of Burgers' residual cost over points and net sizes: writes docs/pde_costs.md.

python tests/benchmarks/pde_costs.py
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from tasks.pde.networks import MLP
from tests.benchmarks.results import ROOT, commit
from zoo.derivatives import JetSpace, chunked_sum, derivatives_of, residual_jacobian

SPACE = JetSpace(("t", "x"), frozenset({"t", "xx"}))
SIZES = ([20] * 3, [20] * 4, [64] * 4, [128] * 4)
POINTS = (1_000, 10_000, 100_000, 1_000_000)
CHUNK = 2_000
BUDGET = 1.3e10  # points x weights that are worth waiting for
HEAD = """# Costs of derivatives

CPU seconds of loss and gradient of Burgers' residual (u, u_t, u_x, u_xx) for tanh nets, one thread, eager. *chunks*: jets,
{chunk} points at a time, so that memory does not grow with the points. *jets*, *nested*: all points at once, up to 10,000.
*Jacobian*: every point's residual to every parameter, up to 10,000 points. Written by `tests/benchmarks/pde_costs.py`,
commit {commit}; one run each, so a figure may be off by a third.

| net | dtype | points | chunks | jets | nested | Jacobian |
|---|---|---|---|---|---|---|
"""


def seconds_of(act) -> str:
    """CPU seconds of the second run, or of the first where that takes long."""
    for _ in range(2):
        start = time.process_time()
        act()
        taken = time.process_time() - start
        if taken > 1:
            break
    return f"{taken:.2g}"


def row(sizes: list[int], dtype: torch.dtype, points: int) -> str:
    """One line of the table."""
    net, points_ND = MLP(2, 1, sizes).to(dtype), torch.rand(points, 2, dtype=dtype)
    parameters = list(net.parameters())

    def residual(part_ND, method="jets"):
        u = derivatives_of(net, part_ND, SPACE, method)
        return u["t"] + u[""] * u["x"] - 0.003 * u["xx"]

    def whole(method):
        torch.autograd.grad(residual(points_ND, method).square().sum(), parameters, allow_unused=True)

    weights = sum(parameter.numel() for parameter in parameters)
    cells = ["", "", "", ""]
    if points * weights <= BUDGET:
        cells[0] = seconds_of(
            lambda: chunked_sum(lambda part: residual(part).square().sum(), points_ND, parameters, CHUNK)
        )
    if points <= 10_000:
        cells[1], cells[2] = seconds_of(lambda: whole("jets")), seconds_of(lambda: whole("nested"))
        if points * weights <= 1e8:
            cells[3] = seconds_of(lambda: residual_jacobian(lambda: residual(points_ND), parameters))
    name = f"{len(sizes)}x{sizes[0]}, {weights} weights"
    return f"| {name} | {str(dtype).removeprefix('torch.')} | {points:,} | {' | '.join(cells)} |\n"


def main() -> None:
    """Run and write the page."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = [row(sizes, dtype, n) for sizes in SIZES for dtype in (torch.float32, torch.float64) for n in POINTS]
    page = HEAD.format(chunk=CHUNK, commit=commit()) + "".join(rows)
    (ROOT / "docs/pde_costs.md").write_text(page)
    print(page)


if __name__ == "__main__":
    main()
