"""Memory of loss and gradient at 10,000 points, Burgers, 4x20 tanh: jets in chunks against nested autograd.

python tests/benchmarks/pde_memory.py
"""

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor, nn

from tasks.pde.networks import MLP
from tests.benchmarks.results import report
from zoo.derivatives import Jet, JetSpace, Nested, chunk_within, chunked_sum, derivatives_of

SPACE = JetSpace(("t", "x"), frozenset({"t", "xx"}))
MEMORY = 8_000_000  # bytes that a chunk's graph may take


def residual(u: Jet | Nested) -> Tensor:
    """Of Burgers' equation."""
    return u["t"] + u[""] * u["x"] - 0.003 * u["xx"]


def peak_bytes(act: Callable[[], object]) -> int:
    """Growth of the process's resident memory while `act` runs, at its highest (Linux)."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from here
    before = _status("VmRSS")
    act()
    return _status("VmHWM") - before


def _status(field: str) -> int:
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(field))
    return int(line.split()[1]) * 1024


def loss_and_gradient(net: nn.Module, points_ND: Tensor, method: str) -> None:
    """All points at once."""
    loss = residual(derivatives_of(net, points_ND, SPACE, method)).square().mean()
    torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)


def in_chunks(net: nn.Module, points_ND: Tensor) -> None:
    """The same by jets, within `MEMORY`."""

    def sum_of(part_ND: Tensor) -> Tensor:
        return residual(derivatives_of(net, part_ND, SPACE, "jets")).square().sum()

    chunk = chunk_within(MEMORY, sum_of, points_ND)
    loss = chunked_sum(sum_of, points_ND, list(net.parameters()), chunk) / len(points_ND)
    torch.autograd.grad(loss, list(net.parameters()))


def main() -> None:
    """Run and report."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for dtype in (torch.float32, torch.float64):
        net, points_ND = MLP(2, 1, [20] * 4).to(dtype), torch.rand(10_000, 2, dtype=dtype)
        ways = {
            "chunks": lambda net=net, points_ND=points_ND: in_chunks(net, points_ND),
            "jets": lambda net=net, points_ND=points_ND: loss_and_gradient(net, points_ND, "jets"),
            "nested": lambda net=net, points_ND=points_ND: loss_and_gradient(net, points_ND, "nested"),
        }
        loss_and_gradient(net, points_ND[:10], "jets")
        loss_and_gradient(net, points_ND[:10], "nested")
        peaks = {name: [peak_bytes(act) / 1e6 for _ in range(3)] for name, act in ways.items()}
        ratios = [a / b for a, b in zip(peaks["chunks"], peaks["nested"], strict=True)]
        note = ", ".join(f"{name} {max(found):.0f} MB" for name, found in peaks.items())
        name = f"pde, memory of loss and gradient, 10,000 points, {str(dtype).removeprefix('torch.')}"
        report(name, "<= 0.1 of nested autograd's", ratios, max(ratios) <= 0.1, "", note, 3)


if __name__ == "__main__":
    main()
