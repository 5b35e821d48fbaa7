"""The Trainer's share of a PDE fit: what Trainer, monitor and record add to a bare loop of the same steps.

python tests/benchmarks/pde_trainer.py
"""

import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from tasks.pde.data import Collocation
from tasks.pde.networks import MLP
from tasks.pde.problems import Burgers
from tasks.pde.task import PhysicsInformed
from tests.benchmarks.results import report
from zoo.training.trainer import Trainer

STEPS = 300
OPTIMIZER = partial(torch.optim.Adam, lr=1e-3)


def parts() -> tuple[PhysicsInformed, Collocation]:
    """The task of the Burgers recipe with Adam, and its points."""
    torch.manual_seed(0)
    task = PhysicsInformed(Burgers(), MLP(2, 1, [20, 20, 20]), OPTIMIZER, symmetry={"x": "odd"}, slope_weight=0.2)
    data = Collocation(points=2000, steps_per_epoch=STEPS, seed=0)
    data.setup()
    return task.double(), data


def by_trainer() -> float:
    """CPU seconds of a fit."""
    task, data = parts()
    trainer = Trainer(max_epochs=1, threads=1, precision="64-true", limit_val_batches=0)
    start = time.process_time()
    trainer.fit(task, data.train_dataloader())
    return time.process_time() - start


def by_bare_loop() -> float:
    """CPU seconds of the same steps without Trainer and monitor."""
    task, data = parts()
    optimizer = OPTIMIZER(task.net.parameters())
    start = time.process_time()
    for batch in data.train_dataloader():
        optimizer.zero_grad()
        sum(task.loss(task.net, task.placed(batch)).values()).backward()
        optimizer.step()
    return time.process_time() - start


def main(repetitions: int = 5) -> None:
    """Run and report."""
    torch.set_num_threads(1)
    by_bare_loop(), by_trainer()
    pairs = [(by_trainer(), by_bare_loop()) for _ in range(repetitions)]
    shares = [100 * (1 - bare / fit) for fit, bare in pairs]
    median = sorted(shares)[repetitions // 2]
    bare = 1e3 * sorted(bare for _, bare in pairs)[repetitions // 2] / STEPS
    note = f"Adam, 2,000 points, bare step {bare:.1f} ms, median {median:.1f}"
    report("pde, the Trainer's share of a fit", "<= 10 %", shares, median <= 10, "%", note)


if __name__ == "__main__":
    main()
