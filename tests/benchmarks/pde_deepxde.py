"""Burgers' equation by DeepXDE's own example (Adam 15,000, then L-BFGS, float32), and by our recipe, in equal CPU time.

python tests/benchmarks/pde_deepxde.py [--seconds 120] [--float64]      (pip install deepxde)
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["DDE_BACKEND"] = "pytorch"
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import deepxde
import numpy as np
import torch

from tasks.pde.problems import Burgers
from tests.benchmarks.pde import fit
from tests.benchmarks.pde_step import deepxdes
from tests.benchmarks.results import report

EPOCHS = 11  # of the recipe, about 30 CPU seconds


class Clock(deepxde.callbacks.Callback):
    """Notes the error of the model when so many CPU seconds of training are spent, and stops at the last of them."""

    def __init__(self, marks: list[float]):
        super().__init__()
        self.marks, self.errors = sorted(marks), {}
        self.start, self.reference = time.process_time(), Burgers().reference()

    @property
    def over(self) -> bool:
        """Whether all marks are passed."""
        return len(self.errors) == len(self.marks)

    def on_epoch_end(self) -> None:
        """Of every Adam step, or every thousand of L-BFGS."""
        spent = time.process_time() - self.start
        while not self.over and spent >= self.marks[len(self.errors)]:
            self.errors[self.marks[len(self.errors)]] = self.error()
        self.model.stop_training = self.over
        self.start = time.process_time() - spent  # the error is not part of their training

    def error(self) -> float:
        """Relative l2 against the reference, up to the example's end of time."""
        t_N, x_N = self.reference.points_ND.unbind(1)
        kept = t_N <= 0.99
        points = torch.stack([x_N, t_N], 1)[kept].numpy().astype(deepxde.config.real(np))
        found = torch.as_tensor(self.model.predict(points)).double()
        expected = self.reference.values_NK[kept]
        return float((found - expected).norm() / expected.norm())


def their_errors(marks: list[float]) -> tuple[dict[float, float], int]:
    """(CPU seconds -> error of the example, steps it took); its last error where it ends before."""
    deepxde.config.set_random_seed(0)
    model = deepxdes()
    clock = Clock(marks)
    model.train(iterations=15000, callbacks=[clock], verbose=0)
    if not clock.over:
        model.compile("L-BFGS", verbose=0)
        model.train(callbacks=[clock], verbose=0)
    last = clock.error()
    return {mark: clock.errors.get(mark, last) for mark in marks}, model.train_state.iteration


def main(seconds: float, double: bool) -> None:
    """Run and report."""
    torch.set_num_threads(1)
    if double:
        deepxde.config.set_default_float("float64")
    with tempfile.TemporaryDirectory() as folder:
        ours, spent = fit("burgers", 0, folder, [f"--trainer.max_epochs={EPOCHS}"])
    errors, steps = their_errors([spent, seconds])
    precision = "float64" if double else "float32, as published"
    for mark, name in ((spent, "at our time"), (seconds, f"after {seconds:g} CPU s")):
        note = (
            f"ours {ours:.1e} after {spent:.0f} CPU s of the fit (seed 0, symmetry built in, float64), theirs "
            f"{errors[mark]:.1e} after {mark:.0f} ({precision}; {steps} steps by {seconds:g} s)"
        )
        ratio = ours / errors[mark]
        report(f"pde, Burgers, error / DeepXDE's example {name}", "<= 0.01", [ratio], ratio <= 0.01, "", note, 8)


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("--seconds", type=float, default=120)
    words.add_argument("--float64", action="store_true")
    given = words.parse_args()
    main(given.seconds, given.float64)
