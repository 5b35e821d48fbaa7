"""Cost of a step under the Trainer, monitor on, over a bare loop; and of the monitor alone.

python tests/benchmarks/trainer_overhead.py
"""

import logging
import statistics
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import nn

from tasks.vision.networks import ResNet
from tasks.vision.task import ImageClassification
from tests.benchmarks.results import report
from zoo.data import TensorLoader
from zoo.training.checkpoints import AtomicCheckpointIO, Checkpointer
from zoo.training.door import GradientDoor
from zoo.training.monitor import GradientMonitor, MonitorOptions
from zoo.training.progress import FitProgress
from zoo.training.record import Record
from zoo.training.trainer import Trainer

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
warnings.simplefilter("ignore")
torch.set_num_threads(1)  # CPU seconds of two threads count their waiting for each other


def data(examples: int, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random inputs and ten classes."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(examples, *shape, generator=generator), torch.randint(0, 10, (examples,), generator=generator)


def bare_seconds(net: nn.Module, loader: TensorLoader, epochs: int) -> float:
    """CPU seconds a step of a plain loop: loader, forward, backward, SGD."""
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    started, steps = time.process_time(), 0
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)
        for images, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images), labels).backward()
            optimizer.step()
            steps += 1
    return (time.process_time() - started) / steps


def trainer_seconds(net: nn.Module, loader: TensorLoader, epochs: int, folder: str) -> float:
    """CPU seconds a step under the Trainer as `zoo fit` sets it up, from the first batch to the last."""
    task = ImageClassification(net, partial(torch.optim.SGD, lr=0.01))
    task.write_readings_to(Record(Path(folder) / f"{time.time_ns()}.sqlite"))
    times = []

    class Clock(Checkpointer):
        def on_train_start(self, trainer, pl_module):
            times.append(time.process_time())

        def on_train_end(self, trainer, pl_module):
            times.append(time.process_time())

    callbacks = [Clock(folder), FitProgress()]
    trainer = Trainer(max_epochs=epochs, accelerator="cpu", callbacks=callbacks, plugins=[AtomicCheckpointIO()])
    trainer.fit(task, loader)
    return (times[1] - times[0]) / trainer.global_step


def batch_of_10_ms() -> int:
    """Examples with which a step of the small ResNet takes 10 ms of CPU time on this machine."""
    times = {}
    for batch in (8, 24):
        loader = TensorLoader(data(batch * 60, 1, 28, 28), batch, shuffle=True)
        times[batch] = 1000 * min(bare_seconds(ResNet(10, 1, (1, 1, 1), 16), loader, 1) for _ in range(3))
    slope = (times[24] - times[8]) / 16
    return max(1, round(8 + (10 - times[8]) / slope))


def whole_trainer(repetitions: int = 5) -> None:
    """The linear model, and a net whose step takes about 10 ms of CPU time."""
    with tempfile.TemporaryDirectory() as folder:
        linear = partial(nn.Sequential, nn.Flatten())
        pairs = []
        for _ in range(repetitions):
            loader = TensorLoader(data(32 * 1000, 20), 32, shuffle=True)
            bare = bare_seconds(linear(nn.Linear(20, 10)), loader, 1)
            pairs.append((bare, trainer_seconds(linear(nn.Linear(20, 10)), loader, 1, folder)))
        over = sorted(1000 * (with_trainer - bare) for bare, with_trainer in pairs)
        met = statistics.median(over) <= 0.8
        report(
            "Trainer overhead, linear model, monitor on", "<= 0.8 ms a step", over, met, "ms", "CPU time, 1000 steps", 3
        )
        ratios, bares = [], []
        batch = batch_of_10_ms()
        for _ in range(repetitions):
            loader = TensorLoader(data(batch * 200, 1, 28, 28), batch, shuffle=True)
            bares.append(bare_seconds(ResNet(10, 1, (1, 1, 1), 16), loader, 1))
            ratios.append(trainer_seconds(ResNet(10, 1, (1, 1, 1), 16), loader, 1, folder) / bares[-1])
        note = (
            f"batch {batch}, bare step {1000 * statistics.median(bares):.1f} ms, median {statistics.median(ratios):.3f}"
        )
        report("Trainer overhead at 10 ms steps", "<= 1.05x", ratios, statistics.median(ratios) <= 1.05, "x", note, 3)


def monitor_share(net: nn.Module, images: torch.Tensor, labels: torch.Tensor, rounds: int) -> tuple[float, float]:
    """(monitor's share of a step in percent, seconds of a bare step), by wall time and medians.

    Bare, ordinary, sampled and closing steps (the one behind a sampled step, which reads the update) stand side by
    side, so that all see the same machine. A step's extra cost is its difference to a bare one; 50 steps are 48
    ordinary ones, a sampled, a closing one and a flush.
    """
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    monitor = GradientMonitor(MonitorOptions(sample_every=50, flush_every=10**9))
    door = GradientDoor(net, monitor, None)
    clock = time.perf_counter

    def step(index: int | None) -> float:
        started = clock()
        optimizer.zero_grad()
        if index is None:
            nn.functional.cross_entropy(net(images), labels).backward()
        else:
            with monitor.watching(net, index):
                loss = nn.functional.cross_entropy(net(images), labels)
            monitor.read_terms({"loss": loss})
            loss.backward()
            door.pass_gradients(optimizer, 0, index, lambda tensor: tensor)
        optimizer.step()
        return clock() - started

    extra = {"ordinary": [], "sampled": [], "closing": []}
    plain = []
    for i in range(rounds):
        for kind, index in (("ordinary", 7), ("sampled", 0), ("closing", 1)):
            extra[kind].append(step(50 * i + index))
            plain.append(step(None))
    monitor.flush(lambda tensor: tensor)
    flushes = []
    for i in range(rounds, rounds + 3):
        step(50 * i)
        for index in range(1, 50):
            door.pass_gradients(optimizer, 0, 50 * i + index, lambda tensor: tensor)
        started = clock()
        monitor.flush(lambda tensor: tensor)
        flushes.append(clock() - started)
    bare = statistics.median(plain)
    cost = {kind: statistics.median(times) - bare for kind, times in extra.items()}
    total = 48 * cost["ordinary"] + cost["sampled"] + cost["closing"] + statistics.median(flushes)
    return 100 * total / (50 * bare), bare


def monitor_alone(repetitions: int = 3) -> None:
    """A 0.9 M parameter MLP and a ResNet-18 of width 16, batch 128."""
    layers = [nn.Flatten(), nn.Linear(784, 640), nn.ReLU(), nn.Linear(640, 640), nn.ReLU(), nn.Linear(640, 10)]
    cases = [
        ("monitor, 0.9 M MLP", 2.0, lambda: nn.Sequential(*layers), (1, 28, 28), 150),
        ("monitor, ResNet-18 width 16", 0.5, lambda: ResNet(10, 3, (2, 2, 2, 2), 16), (3, 32, 32), 6),
    ]
    for name, bar, make, shape, rounds in cases:
        shares, steps = zip(
            *(monitor_share(make(), *data(128, *shape), rounds) for _ in range(repetitions)), strict=True
        )
        note = f"batch 128, bare step {1000 * statistics.median(steps):.1f} ms, median {statistics.median(shares):.2f}"
        report(name, f"<= {bar} % of a step", list(shares), statistics.median(shares) <= bar, "%", note)


if __name__ == "__main__":
    whole_trainer()
    monitor_alone()
