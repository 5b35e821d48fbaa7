"""What traintools and torchdiag say of the same runs, by their own documented rules and default thresholds.

Both look at one model after one backward pass; they are asked at every tenth step, and whatever they said once counts.
Neither has a name for most kinds: only those that they know are asked of them.
"""

import contextlib
import io

import torch
import torchdiag
import traintools
from torch import nn

KNOWS = {
    "traintools": ("vanishing", "exploding", "learning_rate_high", "learning_rate_low", "nonfinite"),
    "torchdiag": ("vanishing", "exploding", "dead", "unused"),
}


class Traintools:
    """GradientHealthMonitor: words of its warnings -> kinds."""

    words = {
        "appears vanished": "vanishing", "very large": "exploding", "ratio is high": "learning_rate_high",
        "ratio is tiny": "learning_rate_low", "non-finite": "nonfinite",
    }  # fmt: skip

    def __init__(self):
        self.said: set[tuple[str, str]] = set()
        self._monitor = traintools.GradientHealthMonitor()

    def __call__(self, net: nn.Module, step: int, loss: float, rate: float, batch) -> None:
        if step % 10 or any(p.grad is not None and p.grad.is_sparse for p in net.parameters()):
            return  # neither reads sparse gradients
        for warning in self._monitor.inspect(net, step=step, lr=rate).warnings:
            for word, kind in self.words.items():
                if word in warning:
                    self.said.add((kind, warning.split()[0].rpartition(".")[0]))


class Torchdiag:
    """check_gradients and check_dead_neurons (over half of a layer's units)."""

    words = {"EXPLODE": "exploding", "VANISH": "vanishing", "no_grad": "unused"}

    def __init__(self):
        self.said: set[tuple[str, str]] = set()

    def __call__(self, net: nn.Module, step: int, loss: float, rate: float, batch) -> None:
        if step % 10 or any(p.grad is not None and p.grad.is_sparse for p in net.parameters()):
            return  # neither reads sparse gradients
        with contextlib.redirect_stdout(io.StringIO()):
            for name, found in torchdiag.check_gradients(net).items():
                if (kind := self.words.get(found["status"])) is not None:
                    self.said.add((kind, name.rpartition(".")[0]))
            with contextlib.suppress(Exception), torch.no_grad():
                buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}
                for name, found in torchdiag.check_dead_neurons(net, batch[0]).items():
                    if found["dead_pct"] > 50:
                        self.said.add(("dead", name))
                for name, buffer in net.named_buffers():
                    buffer.copy_(buffers[name])
