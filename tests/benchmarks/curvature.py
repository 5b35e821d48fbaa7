"""The top Hessian eigenvalue of trained nets, certified within 1 %: time in plain training steps, memory, and a peer.

python tests/benchmarks/curvature.py
"""

import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tasks.vision.data.digits import pixels_and_labels
from tests.benchmarks.pde_memory import peak_bytes
from tests.benchmarks.results import report
from zoo.probes.curvature_products import hessian_products, loss_and_gradient, start_vector
from zoo.probes.lanczos import Eigenpair, extreme_eigenvalues

BATCH, EPOCHS, SEEDS = 256, 3, 3


def mlp(inputs: int = 64, width: int = 256) -> nn.Module:
    """Two hidden layers."""
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))


def cnn(side: int = 8) -> nn.Module:
    """Three convolutions."""
    return nn.Sequential(
        nn.Unflatten(1, (1, side, side)),
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * side * side, 10),
    )  # fmt: skip


def digits() -> tuple[Tensor, Tensor]:
    """The writers that vision/digits trains on."""
    pixels, labels = pixels_and_labels()
    return torch.from_numpy(pixels[:1437]).float() / 16, torch.from_numpy(labels[:1437])


def stepper(net: nn.Module) -> Callable[[Tensor, Tensor], None]:
    """A plain training step: forward, backward, Adam."""
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)

    def step(x: Tensor, y: Tensor) -> None:
        optimizer.zero_grad()
        cross_entropy(net(x), y).backward()
        optimizer.step()

    return step


def loss_of(net: nn.Module, x: Tensor, y: Tensor) -> Callable[[dict[str, Tensor]], Tensor]:
    """Parameters -> loss of a batch."""
    return lambda params: cross_entropy(functional_call(net, params, (x,)), y)


def top_eigenvalue(net: nn.Module, batches: list[tuple[Tensor, Tensor]], tolerance: float = 0.01) -> Eigenpair:
    """Certified, of the mean loss of the batches."""
    params = {name: p.detach() for name, p in net.named_parameters()}
    losses = [loss_of(net, *batch) for batch in batches]
    start_P = start_vector(loss_and_gradient(losses, params)[1], torch.Generator().manual_seed(0))
    product = hessian_products(losses[0] if len(losses) == 1 else losses, params)
    return extreme_eigenvalues(product, start_P, tolerance=tolerance, limit=1000).largest[0]


def by_curvlinops(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """The usual way: its Hessian operator in scipy's eigsh, which converges to machine precision."""
    from curvlinops import HessianLinearOperator
    from scipy.sparse.linalg import eigsh

    operator = HessianLinearOperator(
        net, nn.CrossEntropyLoss(), list(net.parameters()), [(x, y)], check_deterministic=False
    )
    return float(eigsh(operator.to_scipy(), k=1, which="LA", return_eigenvectors=False)[0])


def measured(make: Callable[[], nn.Module], seed: int) -> tuple[float, float, float]:
    """(our time, the peer's time, both in steps; our relative error) after some epochs."""
    torch.manual_seed(seed)
    net, (x, y) = make(), digits()
    step = stepper(net)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(x)).split(128):
            step(x[chosen], y[chosen])
    batch = (x[:BATCH], y[:BATCH])
    ours, exact = top_eigenvalue(net, [batch]), top_eigenvalue(net, [batch], 1e-5)
    theirs = by_curvlinops(net, *batch)
    if abs(theirs / exact.value - 1) > 1e-3:
        sys.exit(f"curvlinops says {theirs}, we {exact.value} +- {exact.residual}")
    parameters = [p.detach().clone() for p in net.parameters()]
    rivals = {
        "step": partial(step, *batch),
        "ours": partial(top_eigenvalue, net, [batch]),
        "peer": partial(by_curvlinops, net, *batch),
    }
    seconds = {name: [] for name in rivals}
    for _ in range(5):
        for name, act in rivals.items():
            with torch.no_grad():
                for p, kept in zip(net.parameters(), parameters, strict=True):
                    p.copy_(kept)
            start = time.process_time()
            for _ in range(10 if name == "step" else 1):
                act()
            seconds[name].append((time.process_time() - start) / (10 if name == "step" else 1))
    one, mine, other = (float(np.median(seconds[name])) for name in rivals)
    return mine / one, other / one, abs(ours.value / exact.value - 1)


MEMORY = {
    "MLP": (lambda: mlp(784, 1024), 256, 1),
    "CNN": (lambda: cnn(28), 256, 4),
}


def peak(name: str, what: str) -> float:
    """Megabytes that a process grows by: net, optimiser or Krylov space, and graphs."""
    make, size, parts = MEMORY[name]
    torch.manual_seed(0)
    x, y = torch.rand(size, 784), torch.randint(10, (size,))
    cross_entropy(make()(x[:8]), y[:8]).backward()  # threads, libraries

    def train() -> None:
        step = stepper(make())
        for _ in range(3):
            step(x, y)

    def curve() -> None:
        batches = list(zip(x.chunk(parts), y.chunk(parts), strict=True))
        top_eigenvalue(make(), batches, 0.05)

    return peak_bytes(train if what == "train" else curve) / 1e6


def main() -> None:
    """Run and report."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=FutureWarning)
    for name, make in {"MLP": mlp, "CNN": cnn}.items():
        ours, theirs, errors = zip(*(measured(make, seed) for seed in range(SEEDS)), strict=True)
        note = f"digits, batch {BATCH}, after {EPOCHS} epochs, seeds 0-{SEEDS - 1}; curvlinops + eigsh {min(theirs):.0f} to {max(theirs):.0f}"
        report(
            f"curvature/top eigenvalue, {name}, time",
            "<= 30 training steps",
            list(ours),
            max(ours) <= 30,
            "steps",
            note,
        )
        report(
            f"curvature/top eigenvalue, {name}, error",
            "<= 1 %",
            [100 * e for e in errors],
            max(errors) <= 0.01,
            "%",
            note,
            4,
        )
        found = {}
        for what in ("train", "curve"):
            words = [sys.executable, __file__, name, what]
            found[what] = [
                float(subprocess.run(words, capture_output=True, text=True, check=True).stdout) for _ in range(3)
            ]
        ratios = [a / b for a, b in zip(found["curve"], found["train"], strict=True)]
        _, size, parts = MEMORY[name]
        note = f"batch {size} in {parts} micro-batches; a step of Adam {max(found['train']):.0f} MB, curvature {max(found['curve']):.0f} MB"
        report(
            f"curvature/top eigenvalue, {name}, memory",
            "<= 2.5 of a training step",
            ratios,
            max(ratios) <= 2.5,
            "",
            note,
        )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        torch.set_num_threads(1)
        print(peak(*sys.argv[1:]))
    else:
        main()
