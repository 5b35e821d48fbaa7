"""What reading the noise of the gradient costs: time and memory of a step that is read, over one that is not.

python tests/benchmarks/noise_scale.py
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from tasks.vision.networks import ResNet
from tests.benchmarks.pde_memory import peak_bytes
from tests.benchmarks.results import report
from tests.benchmarks.timing import in_turn
from zoo.training.noise_watch import NoiseWatch

Batch = tuple[Tensor, Tensor]
CHUNKS = 4


class Recurrent(nn.Module):
    """A bidirectional LSTM over a table's vectors, and the mean of its outputs."""

    def __init__(self, words: int, width: int, hidden: int):
        super().__init__()
        self.table, self.rnn = nn.Embedding(words, width), nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, 10)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """[B, T] -> logits [B, 10]."""
        return self.out(self.rnn(self.table(tokens_BT))[0].mean(1))


def sentence_cnn() -> nn.Module:
    """Table, convolution of width 3, largest of each map."""
    layers = [nn.Embedding(5000, 100), Swap(), nn.Conv1d(100, 128, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool1d(1)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 10))


class Swap(nn.Module):
    """[B, T, F] -> [B, F, T]."""

    def forward(self, x: Tensor) -> Tensor:
        """See above."""
        return x.transpose(1, 2)


def mlp() -> nn.Module:
    """0.9 M parameters."""
    layers = [nn.Flatten(), nn.Linear(784, 640), nn.ReLU(), nn.Linear(640, 640), nn.ReLU(), nn.Linear(640, 10)]
    return nn.Sequential(*layers)


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor], int]] = {
    "0.9 M MLP": (mlp, lambda: torch.randn(128, 1, 28, 28), 15),
    "ResNet-20 with group norm": (
        lambda: ResNet(10, 3, (3, 3, 3), 16, norm=partial(nn.GroupNorm, 4)),
        lambda: torch.randn(64, 3, 32, 32),
        3,
    ),
    "sentence CNN": (sentence_cnn, lambda: torch.randint(0, 5000, (64, 40)), 7),
    "LSTM": (lambda: Recurrent(5000, 100, 128), lambda: torch.randint(0, 5000, (64, 40)), 5),
}


def loss(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """One term, as tasks have it."""
    return {"loss": cross_entropy(net(batch[0]), batch[1])}


def step(net: nn.Module, optimizer: torch.optim.Optimizer, batches: list[Batch], watch: NoiseWatch | None) -> None:
    """One optimiser step over micro-batches, read or not."""
    optimizer.zero_grad()
    for batch in batches:
        if watch is None:
            value = loss(net, batch)["loss"]
        else:
            with watch.watching(batch):
                value = loss(net, batch)["loss"]
        (value / len(batches)).backward()
    if watch is not None:
        grads = {name: p.grad for name, p in net.named_parameters()}
        watch.readings(grads, loss, lambda tensor: tensor, 1, 1.0)
    optimizer.step()


def by_vmap(net: nn.Module, batch: Batch) -> None:
    """Norms of the examples' gradients as torch.func's tutorial has them."""

    def one(named: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(functional_call(net, named, (x[None],)), y[None])

    named = {name: p.detach() for name, p in net.named_parameters()}
    found = vmap(grad(one), in_dims=(None, 0, 0))(named, *batch)
    torch.stack([g.flatten(1).square().sum(1) for g in found.values()]).sum(0).sqrt()


def measure(name: str, make: Callable[[], nn.Module], draw: Callable[[], Tensor], repetitions: int) -> None:
    """Report one net."""
    torch.manual_seed(0)
    net, inputs = make(), draw()
    batch = (inputs, torch.randint(0, 10, (len(inputs),)))
    optimizer = torch.optim.Adam(net.parameters(), 1e-4)
    parts = list(zip(*(one.chunk(CHUNKS) for one in batch), strict=True))
    between_parts, between_examples = NoiseWatch(net, examples=False), NoiseWatch(net, examples=True)
    between_parts.parts = CHUNKS
    ways = {
        "plain": lambda: step(net, optimizer, [batch], None),
        "examples": lambda: step(net, optimizer, [batch], between_examples),
        "micro-batches": lambda: step(net, optimizer, parts, None),
        "micro-batches read": lambda: step(net, optimizer, parts, between_parts),
    }
    if not isinstance(net, Recurrent):  # vmap knows no LSTM
        ways["vmap"] = lambda: by_vmap(net, batch)
    runs = [in_turn(ways, repetitions) for _ in range(3)]
    plain = sorted(run["plain"] for run in runs)[1]
    note = f"batch {len(inputs)}, step {1e3 * plain:.1f} CPU ms, one thread"
    parts_read = [
        run["micro-batches read"] / run["micro-batches"] - 1 for run in runs
    ]  # of a step, at 1 in 100: percent
    named = f"noise scale from {CHUNKS} micro-batches at 1 step in 100, {name}"
    report(named, "<= 2 %", parts_read, max(parts_read) <= 2, "%", note)
    shares = [run["examples"] / run["plain"] - 1 for run in runs]  # of a step, at 1 step in 100: percent
    if "vmap" in ways:
        note += f"; vmap(grad) on top of the step {runs[1]['vmap'] / runs[1]['plain']:.2f} steps"
    report(f"per-example norms at 1 step in 100, {name}", "<= 1.5 %", shares, max(shares) <= 1.5, "%", note)
    peaks = {way: min(peak_bytes(ways[way]) for _ in range(3)) for way in ways}
    note = ", ".join(f"{way} {peak / 1e6:.0f} MB" for way, peak in peaks.items())
    ratio = peaks["examples"] / peaks["plain"]
    report(f"memory of a step with per-example norms, {name}", "<= 2.5x", [ratio], ratio <= 2.5, "x", note)


if __name__ == "__main__":
    torch.set_num_threads(1)
    chosen = sys.argv[1:] or list(CASES)
    for case in chosen:
        measure(case, *CASES[case])
